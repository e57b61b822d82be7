// What the tests of transport 'headers' have in common.

import type { CheerioCrawlerOptions } from 'crawlee';
import { vi } from 'vitest';

import type { SessionProxyConfigurationOptions } from '../../src/index.js';
import { configure, createCrawler } from './crawl.js';
import type { CrawlTarget } from './crawl-target.js';

/** Names of our header fields that a target has seen. */
export function leaksOf(target: CrawlTarget): readonly string[] {
  return target.visits.flatMap(({ headerNames }) => headerNames.filter((name) => name.startsWith('x-crawlera')));
}

/** Crawls URLs in one session; gives what came of it. */
export async function crawlInOne(
  urls: readonly string[],
  { proxyUrl }: { readonly proxyUrl: string },
  plugin: Omit<SessionProxyConfigurationOptions, 'proxyUrl'> = {},
  options: CheerioCrawlerOptions = {},
) {
  const configuration = configure(proxyUrl, { ...plugin, transport: 'headers' });
  const failures: string[] = [];
  const attempts = vi.fn<() => void>();
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxRequestRetries: 3,
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1 },
      preNavigationHooks: [() => attempts()],
      requestHandler() {},
      failedRequestHandler: (_context, error) => void failures.push(error.message),
      ...options,
    }),
  );
  const { requestsFinished: finished } = await crawler.run([...urls]);
  return { finished, failures, attempts: attempts.mock.calls.length };
}
