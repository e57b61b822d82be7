// Makes upstreams of their configuration.

import { createHttpProxyUpstream } from './http-proxy.js';
import { createLocalUpstream } from './local.js';
import { createPrefixUpstream } from './local-prefix.js';
import { createSocksUpstream } from './socks.js';
import { createStickyUpstream } from './sticky-upstream.js';
import type { Upstream } from './upstream.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { ProxySpec, UpstreamSpec } from './upstream-url.js';

/** Creates one upstream. Nothing is connected to before it is used; `close()` it at the end. */
export function createUpstream(spec: UpstreamSpec, options: UpstreamOptions): Upstream {
  if (spec.kind === 'local' || spec.kind === 'direct') return createLocalUpstream(spec, options);
  if (spec.kind === 'prefix') return createPrefixUpstream(spec, options);
  const { sticky } = spec;
  return sticky === undefined
    ? createProxyUpstream(spec, options)
    : createStickyUpstream({ spec, sticky, options, createOne: createProxyUpstream });
}

function createProxyUpstream(spec: ProxySpec, options: UpstreamOptions): Upstream {
  const isSocks = spec.kind === 'socks4' || spec.kind === 'socks5';
  return isSocks ? createSocksUpstream(spec, options) : createHttpProxyUpstream(spec, options);
}
