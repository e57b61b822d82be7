// A way out through a SOCKS5 proxy. Requests and tunnels both go through connections it opens.

import type { Socket } from 'node:net';

import { withDeadline } from './connect.js';
import { createDialedUpstream } from './dialed-upstream.js';
import { shakeHands } from './socks-handshake.js';
import { toAuthority } from './target-address.js';
import type { DialTarget, Upstream } from './upstream.js';
import { connectToProxy } from './upstream-parts.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { ProxySpec } from './upstream-url.js';

/** Creates the upstream of `socks5://` and `socks5h://`. */
export function createSocksUpstream(spec: ProxySpec, options: UpstreamOptions): Upstream {
  const { connectTimeoutMs, responseTimeoutMs } = options;
  const route = (target: DialTarget) => `${toAuthority(target)} through ${spec.id}`;

  function dial(target: DialTarget, signal: AbortSignal): Promise<Socket> {
    const what = `Connecting to ${route(target)}`;
    return withDeadline({ timeoutMs: connectTimeoutMs, signal, what }, async (deadline) => {
      const socket = await connectToProxy(spec, deadline);
      // Ours: names go to the proxy unresolved, for `socks5://` as for `socks5h://`, though curl looks them up itself for
      // the first. A name looked up here is a name told to this network, and may be another machine than from the exit.
      await shakeHands({ spec, socket, target, signal: deadline, timeoutMs: connectTimeoutMs, what });
      return socket;
    });
  }

  return createDialedUpstream(spec, { dial, route, responseTimeoutMs });
}
