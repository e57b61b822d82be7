// A way out of many addresses of this machine: each session leaves from one of its own.

import { GatewayError } from '../sessions/errors.js';
import { createAddressDraw, isInPrefix } from './address-prefix.js';
import { createUpstreamWithExits } from './exits.js';
import { createLocalUpstream } from './local.js';
import type { Upstream } from './upstream.js';
import { identityOf } from './upstream-parts.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { PrefixSpec } from './upstream-url.js';

/** Creates the upstream of `local://` with a prefix. An exit is an address, which is what targets see. */
export function createPrefixUpstream(spec: PrefixSpec, options: UpstreamOptions): Upstream {
  const drawAddress = createAddressDraw(spec);
  const prefix = `${spec.network}/${spec.bits}`;

  function open(exit: string): Upstream {
    if (!isInPrefix(exit, spec)) throw new GatewayError('noslaves', `${exit} is no address of ${spec.id} any more`);
    const { id, name, country, state, city, weight } = spec;
    const own = { id, name, country, state, city, weight, outgoingIp: exit };
    return createLocalUpstream({ ...own, kind: 'local', address: exit, prefix }, options);
  }

  return createUpstreamWithExits({
    identity: identityOf(spec),
    draw: (seed) => {
      const address = drawAddress(seed);
      return { exit: address, outgoingIp: address };
    },
    outgoingIpOf: (exit) => exit,
    open,
  });
}
