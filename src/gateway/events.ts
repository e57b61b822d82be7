// Facts that leave the gateway as typed events. Log, and later metrics and dashboard, subscribe; taking one away
// touches no decision. Events name API keys by their ID and upstreams without credentials.

import type { ErrorCode } from '../sessions/errors.js';
import type { StoreEvent } from '../stores/session-store.js';
import type { HealthEvent } from '../upstreams/health-page.js';
import type { OutgoingIpEvent } from '../upstreams/outgoing-ips.js';

/** A use that was acquired: it is held from now on, or on its way. */
export interface UseStarted {
  readonly type: 'use.started';
  readonly owner: string;
}

/** How a use ended: what a log line tells. */
export interface UseSettled {
  readonly type: 'use.settled';
  /** Names the API key. */
  readonly owner: string;
  readonly kind: 'request' | 'tunnel';
  readonly method: string;
  /** `host:port`. */
  readonly target: string;
  readonly sessionId: string | undefined;
  readonly upstream: string | undefined;
  readonly outgoingIp: string | undefined;
  /** How long it was held for its slot, in milliseconds. */
  readonly waitMs: number;
  /** From its arrival to its end, in milliseconds. */
  readonly tookMs: number;
  /** Status told to the client; undefined where the client left before. */
  readonly status: number | undefined;
  /** Set where the answer, or the lack of one, was the gateway's own. */
  readonly error: ErrorCode | undefined;
  /** Whether the client got no answer of it, because another attempt was made. */
  readonly retried: boolean;
  /** What the client calls its job and itself. */
  readonly jobId: string | undefined;
  readonly client: string | undefined;
  /** From the client to the target, and back. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/** Whose request was refused before it became a use. */
export interface RefusedSession {
  /** Names the API key. */
  readonly owner: string;
  readonly sessionId: string;
  /** `host:port`. */
  readonly target: string;
}

/** A request that was refused before it became a use. */
export interface RequestRejected {
  readonly type: 'request.rejected';
  readonly error: ErrorCode;
  readonly message: string;
  readonly remote: string;
  /** Set where it is known to be of a session. */
  readonly refused?: RefusedSession | undefined;
}

/** Everything that happens in a gateway. */
export type GatewayEvent =
  | UseStarted
  | UseSettled
  | { readonly type: 'gateway.listening'; readonly url: string }
  | { readonly type: 'gateway.closing'; readonly held: number }
  | Exclude<StoreEvent, { readonly type: 'moved' }>
  | RequestRejected
  | HealthEvent
  | OutgoingIpEvent
  | { readonly type: 'upstreams.refused'; readonly line: number | undefined; readonly message: string }
  | { readonly type: 'upstreams.changed'; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly type: 'certificate.refused'; readonly host: string; readonly remote: string; readonly message: string }
  | { readonly type: 'gateway.failure'; readonly error: unknown; readonly during: string };

/** Takes events; must not throw. */
export type EventSink = (event: GatewayEvent) => void;
