// The preset for BasicCrawler, whose handlers send requests themselves, merged into the user's options, whose values win.

import { GotScrapingHttpClient } from '@crawlee/core';
import type { BaseHttpClient, ProxyConfiguration, Session } from '@crawlee/core';

import type { Core } from './core.js';
import { refuseWrongSession } from './pinned-request.js';
import { createPreset } from './preset.js';
import type { GivenOptions, Preset } from './preset.js';
import { SessionHttpClient } from './session-http-client.js';

/** What of a BasicCrawler's options is looked at. */
interface GivenBasicOptions extends GivenOptions {
  readonly httpClient?: BaseHttpClient;
  readonly requestHandler?: RequestHandler;
}

type RequestHandler = (context: BasicContext) => unknown;
type BasicContext = Parameters<Preset['prepare']>[0] & { readonly session?: Session | undefined };

/**
 * Merges the preset into a crawler's options.
 *
 * @throws TypeError for another `proxyConfiguration`, or none of sessions at all
 */
export function mergeBasicCrawlerOptions<O extends object>(core: Core, own: ProxyConfiguration, options: O): O {
  const given: GivenBasicOptions = options;
  // BasicCrawler knows neither a proxy nor pages, but its HTTP client is told the session.
  const { sessionPoolOptions, requestHandlerTimeoutSecs, prepare } = createPreset(
    core,
    own,
    given,
    'basicCrawlerOptions()',
  );
  const { requestHandler } = given;
  const prepareRequest = async (context: BasicContext): Promise<void> => {
    await prepare(context);
    if (context.session !== undefined) refuseWrongSession(core, context.session.id, context.request);
  };
  return {
    ...options,
    sessionPoolOptions,
    requestHandlerTimeoutSecs,
    httpClient: new SessionHttpClient(given.httpClient ?? new GotScrapingHttpClient(), core),
    ...(requestHandler === undefined ? {} : { requestHandler: preparing(requestHandler, prepareRequest) }),
  };
}

/**
 * Has what other crawlers do before a page done before the handler: BasicCrawler has no hooks. A router stays one, for
 * Crawlee looks at its members. Ours: with `crawler.router` in place of a handler nothing is done, which only matters to
 * requests that are held for minutes.
 */
function preparing(handler: RequestHandler, prepare: (context: BasicContext) => Promise<void>): RequestHandler {
  return new Proxy(handler, {
    async apply(target, thisArg, [context]: Parameters<RequestHandler>) {
      await prepare(context);
      return Reflect.apply(target, thisArg, [context]);
    },
  });
}
