// What becomes of the sessions of a run when its crawler runs again, and of two crawlers that keep theirs in one place.

import { CheerioCrawler, Configuration, log, RequestQueue } from 'crawlee';
import { expect, onTestFinished, test, vi } from 'vitest';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { configure, createCrawler, listSessions, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

test("a second run ends the sessions of the first, and keeps those of another crawler's run", async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const ids = new Set<string | undefined>();
  const options = configuration.httpCrawlerOptions({
    requestHandler({ session }: { session?: { id: string } }) {
      ids.add(session && configuration.proxySession(session)?.id);
    },
  });
  const pagesOf = (run: string): string[] => [1, 2, 3, 4, 5, 6].map((page) => `${target.http}/${run}-${page}`);
  await createCrawler(options).run(pagesOf('other'));
  const others = await listSessions(gateway);
  const crawler = createCrawler(options);
  await crawler.run(pagesOf('first'));
  expect(await listSessions(gateway)).toHaveLength(6);
  await crawler.run(pagesOf('second'));
  const left = await listSessions(gateway);
  expect(ids.size).toBe(9);
  expect(left).toHaveLength(6);
  expect(left).toEqual(expect.arrayContaining([...others]));
});

/** What the plugin warned of while crawlers ran at the same time. */
async function warningsOf(
  configuration: SessionProxyConfiguration,
  targetUrl: string,
  keys: readonly (string | undefined)[],
): Promise<readonly string[]> {
  const told: string[] = [];
  const warning = vi.spyOn(log.constructor.prototype as typeof log, 'warning');
  onTestFinished(() => warning.mockRestore());
  warning.mockImplementation((message) => void told.push(message));
  const config = new Configuration({ persistStorage: false });
  const begun = new Set<number>();
  const [haveAllBegun, allBegin] = deferred();
  const running = keys.map(async (persistStateKey, index) => {
    const requestQueue = await RequestQueue.open(`crawler-${index}`, { config });
    await new CheerioCrawler(
      configuration.httpCrawlerOptions({
        requestQueue,
        async requestHandler() {
          if (begun.add(index).size === keys.length) allBegin();
          await haveAllBegun;
        },
        ...(persistStateKey === undefined ? {} : { sessionPoolOptions: { persistStateKey } }),
      }),
      config,
    ).run([`${targetUrl}/${index}-1`, `${targetUrl}/${index}-2`]);
  });
  await Promise.all(running);
  return told.filter((message) => message.includes('persistStateKey'));
}

test.each([
  ['under one key are told of once', [undefined, undefined, undefined], 1],
  ['under keys of their own are not', [undefined, 'SECOND', 'THIRD'], 0],
] as const)('crawlers that keep their sessions at the same time %s', async (_name, keys, count) => {
  const gateway = await openGateway();
  const target = await openTarget();
  const told = await warningsOf(configure(gateway.proxyUrl), target.http, keys);
  expect(told).toHaveLength(count);
  for (const message of told) expect(message).toContain('under one key, SDK_SESSION_POOL_STATE');
});

test('a crawler that is made after another one has ended is told nothing', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  expect(await warningsOf(configuration, target.http, [undefined])).toEqual([]);
  expect(await warningsOf(configuration, target.http, [undefined])).toEqual([]);
});
