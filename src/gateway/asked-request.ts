// A request on its way through the gateway, as all its stations know it.

import type { IncomingMessage } from 'node:http';
import type { SessionRef } from '../sessions/session.js';
import type { SecureTarget } from '../upstreams/upstream.js';
import type { Asked } from './admission.js';
import type { Destination } from './request-target.js';

/** A request that was parsed and belongs to an API key. */
export interface AskedRequest extends Asked, Destination {
  readonly req: IncomingMessage;
  /** Names the API key. */
  readonly owner: string;
  /** Whether it came inside a tunnel that the gateway looks into. */
  readonly isInTunnel: boolean;
  /** Set where it is asked over TLS. */
  readonly secure: SecureTarget | undefined;
  /** In place of the one in the directives. */
  readonly session: SessionRef | undefined;
}
