// That several crawlers share one configuration, at the same time or one after the other.

import { CheerioCrawler, Configuration } from 'crawlee';
import type { CheerioCrawlerOptions } from 'crawlee';
import { MemoryStorage } from '@crawlee/memory-storage';
import { expect, test } from 'vitest';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { configure, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

/** Crawlee session and gateway session of each page. */
type Pairs = (readonly [string, string | undefined])[];

function createCrawler(
  configuration: SessionProxyConfiguration,
  { pairs, config, options = {} }: { pairs: Pairs; config: Configuration; options?: CheerioCrawlerOptions },
): CheerioCrawler {
  return new CheerioCrawler(
    configuration.httpCrawlerOptions({
      ...options,
      requestHandler({ session }) {
        if (session !== undefined) pairs.push([session.id, configuration.proxySession(session)?.id]);
      },
    }),
    config,
  );
}

test('two crawlers at the same time have sessions of their own, and close() ends those of both', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const pairs: [Pairs, Pairs] = [[], []];
  const [first, second] = pairs.map((own) =>
    createCrawler(configuration, { pairs: own, config: new Configuration({ persistStorage: false }) }),
  );
  await Promise.all([first?.run(mixedUrls(target, 20)), second?.run(mixedUrls(target, 20))]);
  const [ofFirst, ofSecond] = pairs.map((own) => new Set(own.map(([, id]) => id)));
  expect(ofFirst?.size).toBe(3);
  expect(ofSecond?.size).toBe(3);
  expect(new Set([...(ofFirst ?? []), ...(ofSecond ?? [])])).toEqual(new Set(await listSessions(gateway)));
  expect(await listSessions(gateway)).toHaveLength(6);
  await configuration.close();
  expect(await listSessions(gateway)).toEqual([]);
});

test('a crawler that is made after another one over the same storage goes on with its sessions', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const config = new Configuration({
    storageClient: new MemoryStorage({ persistStorage: false }),
    purgeOnStart: false,
  });
  const pairs: [Pairs, Pairs] = [[], []];
  const atTheEnd: (readonly string[])[] = [];
  for (const [index, own] of pairs.entries()) {
    const configuration = configure(gateway.proxyUrl);
    const crawler = createCrawler(configuration, { pairs: own, config });
    await crawler.run(Array.from({ length: 12 }, (_, page) => `${target.http}/${index}-${page}`));
    atTheEnd.push(await listSessions(gateway));
    await configuration.close({ keepSessions: index === 0 });
  }
  const [first, second] = pairs.map((own) => new Set(own.map((pair) => pair.join(' '))));
  expect(first?.size).toBe(3);
  // Crawlee chooses by chance, so that now and then one of the three has no page; but none is made beside them.
  expect([...(first ?? [])]).toEqual(expect.arrayContaining([...(second ?? [])]));
  expect(new Set(atTheEnd[1])).toEqual(new Set(atTheEnd[0]));
  expect(pairs[1]).toHaveLength(12);
  // Kept by the first, the sessions belong to the second, which ended them.
  expect(await listSessions(gateway)).toEqual([]);
});
