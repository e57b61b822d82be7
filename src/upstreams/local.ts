// A way out of this machine itself: from one of its addresses, or from whichever the system takes. Names are looked up
// here, so this is where the target policy is kept for what they resolve to.

import { isIP } from 'node:net';
import type { Socket } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { connectTcp } from './connect.js';
import { createDialedUpstream } from './dialed-upstream.js';
import { toAuthority } from './target-address.js';
import type { DialTarget, Upstream } from './upstream.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { DirectSpec, LocalSpec } from './upstream-url.js';

/** Creates the upstream of `local://` and `direct://`. */
export function createLocalUpstream(spec: LocalSpec | DirectSpec, options: UpstreamOptions): Upstream {
  const { policy, connectTimeoutMs, responseTimeoutMs } = options;
  const localAddress = spec.kind === 'local' ? spec.address : undefined;
  const route = (target: DialTarget) => `${toAuthority(target)} from ${spec.id}`;

  async function open({ host, port }: DialTarget, signal: AbortSignal): Promise<Socket> {
    // The gateway has asked this already. It is asked again because for a literal address no lookup is made.
    const refusal = policy.refusal(host, port);
    if (refusal !== undefined) throw new GatewayError('domain_forbidden', refusal);
    return connectTcp({ host, port, ...leaveFrom(host, localAddress), lookup: policy.lookup(port) }, signal);
  }

  return createDialedUpstream(spec, { open, route, connectTimeoutMs, responseTimeoutMs });
}

/** The address to leave from, and the kind of addresses to look up: those that can be reached from it. */
function leaveFrom(host: string, localAddress: string | undefined): { localAddress?: string; family?: number } {
  if (localAddress === undefined) return {};
  const family = isIP(localAddress);
  if (isIP(host) !== 0 && isIP(host) !== family) {
    throw new GatewayError('ehostunreach', `${host} can't be reached from ${localAddress}: one is IPv4, one IPv6`);
  }
  return { localAddress, family };
}
