// The preset for HTTP crawlers (Cheerio, Http, JSDOM, LinkeDOM), merged into the user's options, whose values win.

import { GotScrapingHttpClient } from '@crawlee/core';
import type { BaseHttpClient, ProxyConfiguration } from '@crawlee/core';

import type { Core } from './core.js';
import { createPreset } from './preset.js';
import type { GivenOptions } from './preset.js';
import { SessionHttpClient } from './session-http-client.js';

/**
 * Merges the preset into a crawler's options.
 *
 * @throws TypeError for another `proxyConfiguration`, or none of sessions at all
 */
export function mergeHttpCrawlerOptions<O extends object>(core: Core, own: ProxyConfiguration, options: O): O {
  const given: GivenOptions & { readonly httpClient?: BaseHttpClient } = options;
  const { prepare, verify, ...preset } = createPreset(core, own, given, 'httpCrawlerOptions()');
  return {
    ...options,
    ...preset,
    httpClient: new SessionHttpClient(given.httpClient ?? new GotScrapingHttpClient(), core),
    preNavigationHooks: [prepare, ...(given.preNavigationHooks ?? [])],
    postNavigationHooks: [verify, ...(given.postNavigationHooks ?? [])],
  };
}
