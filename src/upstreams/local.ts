// A way out of this machine itself: from one of its addresses, or from whichever the system takes. Names are looked up
// here, so this is where the target policy is kept for what they resolve to.

import { isIP, isIPv6 } from 'node:net';
import type { Socket } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { connectTcp } from './connect.js';
import { toGatewayError } from './dial-errors.js';
import type { Peer } from './dialing-agent.js';
import { createDialedUpstream } from './dialed-upstream.js';
import { toAuthority } from './target-address.js';
import type { DialTarget, GiveUp, Upstream } from './upstream.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { DirectSpec, LocalSpec } from './upstream-url.js';

/** An address of this machine, and the prefix it was drawn from. */
export interface PrefixAddressSpec extends LocalSpec {
  readonly prefix: string;
}

/** Creates the upstream of `local://` with one address, and of `direct://`. */
export function createLocalUpstream(
  spec: LocalSpec | PrefixAddressSpec | DirectSpec,
  options: UpstreamOptions,
): Upstream {
  const { policy, connectTimeoutMs, responseTimeoutMs } = options;
  const localAddress = spec.kind === 'local' ? spec.address : undefined;
  const prefix = 'prefix' in spec ? spec.prefix : undefined;
  const leaving = prefix === undefined ? spec.id : localAddress;
  const route = (target: DialTarget) => `${toAuthority(target)} from ${leaving}`;

  async function open({ host, port }: Peer, signal: GiveUp, what: string): Promise<Socket> {
    // The gateway has asked this already. It is asked again because for a literal address no lookup is made.
    const refusal = policy.refusal(host, port);
    if (refusal !== undefined) throw new GatewayError('domain_forbidden', refusal);
    const from = { ...leaveFrom(host, localAddress), lookup: policy.lookup(port) };
    const connecting = connectTcp({ host, port, ...from }, signal);
    return prefix === undefined ? connecting : connecting.catch((error: unknown) => explain(error, what, prefix));
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

/** Says how a machine is made to have all addresses of a prefix, where that is what is missing. */
function explain(error: unknown, what: string, prefix: string): never {
  const told = toGatewayError(error, what);
  const { code, message, cause, blame } = told;
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRNOTAVAIL')) throw told;
  const commands = isIPv6(prefix.split('/')[0] ?? '')
    ? `ip -6 route add local ${prefix} dev lo, and sysctl net.ipv6.ip_nonlocal_bind=1`
    : `ip route add local ${prefix} dev lo`;
  throw new GatewayError(code, `${message}; to leave from any of its addresses: ${commands}`, { cause, blame });
}
