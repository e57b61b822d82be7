// A way out through a SOCKS proxy. Requests and tunnels both go through connections it opens.

import { isIPv6 } from 'node:net';
import type { Socket } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { createDialedUpstream } from './dialed-upstream.js';
import { shakeHands } from './socks-handshake.js';
import { toAuthority } from './target-address.js';
import type { DialTarget, GiveUp, Upstream } from './upstream.js';
import { connectToProxy } from './upstream-parts.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { ProxySpec } from './upstream-url.js';

/** Creates the upstream of `socks5://`, `socks5h://`, `socks4://` and `socks4a://`. */
export function createSocksUpstream(spec: ProxySpec, options: UpstreamOptions): Upstream {
  const { connectTimeoutMs, responseTimeoutMs } = options;
  const route = (target: DialTarget) => `${toAuthority(target)} through ${spec.id}`;

  async function open(target: DialTarget, signal: GiveUp, what: string): Promise<Socket> {
    if (spec.kind === 'socks4' && !isKnownToSocks4(target.host)) {
      throw new GatewayError('ehostunreach', `${what} failed: SOCKS4 reaches names and IPv4 addresses only`);
    }
    const socket = await connectToProxy(spec, signal);
    // Ours: names go to the proxy unresolved, for `socks5://` as for `socks5h://`, though curl looks them up itself for
    // the first, and for `socks4://` as for `socks4a://`. A name looked up here is a name told to this network, and may be another machine than from the exit.
    await shakeHands({ spec, socket, target, signal, timeoutMs: connectTimeoutMs, what });
    return socket;
  }

  return createDialedUpstream(spec, { open, route, connectTimeoutMs, responseTimeoutMs });
}

/** Addresses such as 0.0.0.1 stand for "a name follows" in SOCKS4a, so that the proxy would wait for one. */
function isKnownToSocks4(host: string): boolean {
  return !isIPv6(host) && !/^0\.0\.0\.(?!0$)\d+$/.test(host);
}
