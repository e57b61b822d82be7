// The preset for HTTP crawlers: what the option `proxyConfiguration` alone can't do, merged into the user's options,
// whose values win. Which class of crawler they are for is not known here.

import { GotScrapingHttpClient } from '@crawlee/core';
import type { BaseHttpClient, ProxyConfiguration, SessionPoolOptions } from '@crawlee/core';

import type { Core } from './core.js';
import { limitConcurrency } from './concurrency-limit.js';
import type { LimitedContext } from './concurrency-limit.js';
import { createAdoptingFunction } from './proxy-session-pool.js';
import { lengthenLock } from './request-lock.js';
import type { NavigationContext } from './request-lock.js';
import { SessionHttpClient } from './session-http-client.js';

/** Time a page has beyond the longest hold, in seconds. */
const PAGE_SECS = 60;

/** What of a crawler's options is looked at. */
interface GivenOptions {
  readonly proxyConfiguration?: ProxyConfiguration;
  readonly sessionPoolOptions?: SessionPoolOptions;
  readonly navigationTimeoutSecs?: number;
  readonly requestHandlerTimeoutSecs?: number;
  readonly httpClient?: BaseHttpClient;
  readonly useSessionPool?: boolean;
  readonly preNavigationHooks?: readonly unknown[];
  readonly maxConcurrency?: number;
  readonly autoscaledPoolOptions?: { readonly maxConcurrency?: number };
  readonly respectRobotsTxtFile?: unknown;
}

/**
 * Merges the preset into a crawler's options.
 *
 * @throws TypeError for another `proxyConfiguration`, or none of sessions at all
 */
export function mergeHttpCrawlerOptions<O extends object>(core: Core, own: ProxyConfiguration, options: O): O {
  const given: GivenOptions = options;
  refuseContradictions(own, given);
  warnOfLeaks(core, given);
  const navigationTimeoutSecs = given.navigationTimeoutSecs ?? Math.ceil(core.maxHoldMs / 1000) + PAGE_SECS;
  // What a handler sends with `sendRequest()` is held like a page.
  const requestHandlerTimeoutSecs = given.requestHandlerTimeoutSecs ?? navigationTimeoutSecs;
  const sessionPoolOptions = given.sessionPoolOptions ?? {};
  const prepare = async (context: NavigationContext & LimitedContext): Promise<void> => {
    await lengthenLock(context, navigationTimeoutSecs + requestHandlerTimeoutSecs);
    if (!limitsConcurrency(given)) await limitConcurrency(context, core.gateway);
  };
  return {
    ...options,
    proxyConfiguration: own,
    navigationTimeoutSecs,
    requestHandlerTimeoutSecs,
    httpClient: new SessionHttpClient(given.httpClient ?? new GotScrapingHttpClient(), core),
    sessionPoolOptions: {
      ...sessionPoolOptions,
      createSessionFunction: createAdoptingFunction(core, sessionPoolOptions),
    },
    preNavigationHooks: [prepare, ...(given.preNavigationHooks ?? [])],
  };
}

function refuseContradictions(own: ProxyConfiguration, { proxyConfiguration, useSessionPool }: GivenOptions): void {
  if (proxyConfiguration !== undefined && proxyConfiguration !== own) {
    throw new TypeError(
      'httpCrawlerOptions() puts its own proxyConfiguration in: leave yours out, and give its proxies to the gateway as upstreams',
    );
  }
  if (useSessionPool === false) {
    throw new TypeError('httpCrawlerOptions() needs the session pool: leave useSessionPool: false out');
  }
}

function limitsConcurrency({ maxConcurrency, autoscaledPoolOptions }: GivenOptions): boolean {
  return maxConcurrency !== undefined || autoscaledPoolOptions?.maxConcurrency !== undefined;
}

function warnOfLeaks({ log }: Core, { respectRobotsTxtFile }: GivenOptions): void {
  if (respectRobotsTxtFile === undefined || respectRobotsTxtFile === false) return;
  // https://github.com/apify/crawlee/pull/3940
  log.warning(
    "respectRobotsTxtFile: Crawlee fetches robots.txt without a proxy, so sites see this machine's own address. " +
      'Leave the option out, or fetch robots.txt with sendRequest().',
  );
}
