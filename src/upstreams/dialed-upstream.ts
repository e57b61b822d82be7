// An upstream that reaches the targets themselves: requests go over the connections it dials, in origin form.

import type { Dial } from './dialing-agent.js';
import { createRequestPool, sendRequest } from './send-request.js';
import type { DialTarget, Upstream } from './upstream.js';
import { identityOf } from './upstream-parts.js';
import type { UpstreamSpec } from './upstream-url.js';

/** How targets are reached. */
export interface DialedRoute {
  readonly dial: Dial;
  /** Names the way to a target in messages: `example.com:80 through proxy:1080`. */
  readonly route: (target: DialTarget) => string;
  /** Milliseconds to the head of an answer, and between two pieces of its body. */
  readonly responseTimeoutMs: number;
}

/** Creates an upstream over a way to dial. */
export function createDialedUpstream(spec: UpstreamSpec, { dial, route, responseTimeoutMs }: DialedRoute): Upstream {
  const pool = createRequestPool(dial);
  return {
    ...identityOf(spec),
    dial,
    request: (request) => {
      const { target, path, headers } = request;
      const what = `The request to ${route(target)}`;
      return sendRequest({ request, pool, peer: target, path, headers, responseTimeoutMs, what });
    },
    close: async () => pool.close(),
  };
}
