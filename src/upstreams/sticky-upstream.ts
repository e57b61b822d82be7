// A way out through a vendor's proxy, which gives each name in the credentials an outgoing IP of its own.

import { createUpstreamWithExits } from './exits.js';
import { credentialsOf, stickyNameOf } from './sticky.js';
import type { StickySpec } from './sticky.js';
import type { Upstream } from './upstream.js';
import { identityOf } from './upstream-parts.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { ProxySpec } from './upstream-url.js';

/** What a proxy with sticky sessions is created with. */
export interface StickyUpstreamParts {
  readonly spec: ProxySpec;
  readonly sticky: StickySpec;
  readonly options: UpstreamOptions;
  /** Creates the upstream of one name. */
  readonly createOne: (spec: ProxySpec, options: UpstreamOptions) => Upstream;
}

/**
 * Creates the upstream of a proxy whose credentials are templates. An exit is the name of a sticky session; which
 * address it has, the vendor alone knows, so that a word of its own stands for it.
 */
export function createStickyUpstream({ spec, sticky, options, createOne }: StickyUpstreamParts): Upstream {
  const { onOutgoingIp } = options;
  const outgoingIpOf = (exit: string) => `${spec.id}/${exit}`;

  function open(exit: string): Upstream {
    const credentials = spec.credentials && credentialsOf(spec.credentials, exit);
    const one = { ...spec, credentials, sticky: undefined, outgoingIp: outgoingIpOf(exit) };
    return createOne(one, { ...options, onOutgoingIp: onOutgoingIp && ((told) => onOutgoingIp({ ...told, exit })) });
  }

  return createUpstreamWithExits({
    identity: identityOf(spec),
    draw: (seed) => {
      const exit = stickyNameOf(seed, sticky);
      return { exit, outgoingIp: outgoingIpOf(exit) };
    },
    outgoingIpOf,
    open,
  });
}
