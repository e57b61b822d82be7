// That what a BasicCrawler's handler sends goes through the gateway session of its own Crawlee session.

import { BasicCrawler, Configuration } from 'crawlee';
import type { BasicCrawlerOptions } from 'crawlee';
import { expect, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { configure, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

function createBasicCrawler(options: BasicCrawlerOptions): BasicCrawler {
  return new BasicCrawler(
    { maxRequestRetries: 0, ...options },
    new Configuration({ persistStorage: false, purgeOnStart: true }),
  );
}

test.each(['credentials', 'headers'] as const)(
  '%s: sendRequest() leaves by the outgoing IP of its session, over http and https',
  async (transport) => {
    const gateway = await openGateway({ upstreams: localUpstreams(4) });
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl, { transport });
    const pairs: [string, string | undefined][] = [];
    const crawler = createBasicCrawler(
      configuration.basicCrawlerOptions<BasicCrawlerOptions>({
        minConcurrency: 8,
        async requestHandler({ sendRequest, session, request }) {
          await sendRequest({ https: { rejectUnauthorized: false } });
          const fromIp = target.visits.find(({ path }) => request.url.endsWith(path))?.fromIp ?? 'nowhere';
          pairs.push([fromIp, session && configuration.proxySession(session)?.outgoingIp]);
        },
      }),
    );
    const urls =
      transport === 'headers' ? mixedUrls({ http: target.http, https: target.http }, 24) : mixedUrls(target, 24);
    const { requestsFinished } = await crawler.run(urls);
    expect(requestsFinished).toBe(24);
    for (const [fromIp, sessionIp] of pairs) expect(fromIp).toBe(sessionIp);
    expect(new Set(pairs.map(([fromIp]) => fromIp)).size).toBe(4);
    await configuration.close();
    expect(await listSessions(gateway)).toEqual([]);
  },
);

test('a proxy taken out of a request by mistake lets nothing leave direct', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  // What a JavaScript user may write.
  const options: object = { proxyUrl: undefined };
  const noSession: object = { sessionToken: undefined };
  const crawler = createBasicCrawler(
    configure(gateway.proxyUrl).basicCrawlerOptions<BasicCrawlerOptions>({
      async requestHandler({ sendRequest }) {
        await sendRequest(options);
        await sendRequest({ ...options, ...noSession });
      },
    }),
  );
  const { requestsFinished } = await crawler.run([`${target.http}/1`]);
  expect(requestsFinished).toBe(1);
  expect(target.visits).toHaveLength(2);
  for (const { fromIp } of target.visits) expect(fromIp).toMatch(/^127\.0\.0\.[23]$/);
});

test.each(['http', 'https'] as const)(
  '%s: a lost session is retired and the request goes on in another',
  async (scheme) => {
    const gateway = await openGateway();
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl);
    const sessions: (string | undefined)[] = [];
    let pages = 0;
    const crawler = createBasicCrawler(
      configuration.basicCrawlerOptions<BasicCrawlerOptions>({
        maxConcurrency: 1,
        sessionPoolOptions: { maxPoolSize: 1 },
        async requestHandler({ sendRequest, session }) {
          pages += 1;
          if (pages === 2)
            for (const id of await listSessions(gateway)) await new SessionsClient(gateway.proxyUrl).delete(id);
          await sendRequest({ https: { rejectUnauthorized: false } });
          sessions.push(session?.id);
        },
      }),
    );
    const { requestsFinished } = await crawler.run([`${target[scheme]}/1`, `${target[scheme]}/2`]);
    expect(requestsFinished).toBe(2);
    expect(new Set(sessions).size).toBe(2);
  },
);

test('a router stays a router', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const seen: string[] = [];
  const { createBasicRouter } = await import('crawlee');
  const router = createBasicRouter();
  router.addDefaultHandler(async ({ sendRequest }) => {
    await sendRequest();
    seen.push('default');
  });
  const crawler = createBasicCrawler(
    configure(gateway.proxyUrl).basicCrawlerOptions<BasicCrawlerOptions>({ requestHandler: router }),
  );
  await crawler.run([`${target.http}/1`]);
  expect(seen).toEqual(['default']);
  expect(target.visits).toHaveLength(1);
});
