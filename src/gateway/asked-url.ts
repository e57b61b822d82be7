// URLs that the user named, to be asked for through upstreams: how each is trusted. Who asks, and why, is not known here.

import { isInDomains } from '../sessions/domains.js';
import { readHost } from '../upstreams/target-address.js';
import type { CheckUrl } from '../upstreams/check-upstream.js';
import type { ResolvedOptions } from './options.js';

/** A URL to ask for; its certificate is verified unless the options list its host under `targets.insecure`. */
export function askedUrl(url: string | undefined, { targets }: Pick<ResolvedOptions, 'targets'>): CheckUrl | undefined {
  return url === undefined
    ? undefined
    : { url, verify: !isInDomains(readHost(new URL(url).hostname) ?? '', targets.insecure) };
}
