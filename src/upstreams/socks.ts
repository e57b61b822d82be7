// A way out through a SOCKS5 proxy. Requests and tunnels both go through connections it opens.

import type { Socket } from 'node:net';

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

  async function open(target: DialTarget, signal: AbortSignal, what: string): Promise<Socket> {
    const socket = await connectToProxy(spec, signal);
    // Ours: names go to the proxy unresolved, for `socks5://` as for `socks5h://`, though curl looks them up itself for
    // the first. A name looked up here is a name told to this network, and may be another machine than from the exit.
    await shakeHands({ spec, socket, target, signal, timeoutMs: connectTimeoutMs, what });
    return socket;
  }

  return createDialedUpstream(spec, { open, route, connectTimeoutMs, responseTimeoutMs });
}
