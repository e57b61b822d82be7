// Requests that Crawlee sends by itself, past every proxy configuration: what of them can be known beforehand is refused,
// the rest is told of. Helpers that take a proxy are no matter of ours, but need to be given one:
// `RobotsTxtFile.find(url, proxyUrl)`, `Sitemap.load(url, proxyUrl)`, `downloadListOfUrls({ url, proxyUrl })` with
// `await proxyConfiguration.newUrl()`; lists with `requestsFromUrl` belong into a RequestList or RequestQueue that was
// opened with `{ proxyConfiguration }`, because the queue a crawler opens itself fetches them direct.

import type { Log } from '@crawlee/core';

/** Crawlers that were told of. */
const TOLD = new WeakSet<object>();

/**
 * Refuses options by which Crawlee sends requests of its own from this machine's own address.
 *
 * @param name of the preset, for the message: `httpCrawlerOptions()`
 * @throws TypeError that says what to write instead
 * @see https://github.com/apify/crawlee/pull/3940 for robots.txt: no public option makes Crawlee fetch it by a proxy, and
 *   it does so for start URLs before anything of ours runs
 */
export function refuseLeaks({ respectRobotsTxtFile }: { readonly respectRobotsTxtFile?: unknown }, name: string): void {
  if (respectRobotsTxtFile === undefined || respectRobotsTxtFile === false) return;
  throw new TypeError(
    `${name} does not go with respectRobotsTxtFile: Crawlee fetches robots.txt without a proxy, so sites would see this ` +
      "machine's own address. Leave the option out and ask through the gateway: preNavigationHooks: [async ({ request }) => " +
      '{ const robots = await RobotsTxtFile.find(request.url, await proxyConfiguration.newUrl()); ' +
      "if (!robots.isAllowed(request.url)) throw new NonRetryableError('robots.txt'); }]",
  );
}

/**
 * Tells, once per crawler and before its first page, what it will load past the proxy.
 *
 * JSDOMCrawler hands its pages to jsdom with a loader that no option replaces. It is known by the one public method that
 * no other crawler has.
 *
 * @see https://github.com/apify/crawlee/blob/v3.18.1/packages/jsdom-crawler/src/internals/jsdom-crawler.ts
 */
export function tellLeaks(log: Pick<Log, 'warning'>, crawler: object): void {
  if (!('getVirtualConsole' in crawler) || TOLD.has(crawler)) return;
  TOLD.add(crawler);
  log.warning(
    "JSDOMCrawler loads style sheets, frames and scripts of its pages without a proxy, so sites see this machine's own " +
      'address. CheerioCrawler and LinkeDOMCrawler load pages only; browser crawlers load everything through the gateway.',
  );
}
