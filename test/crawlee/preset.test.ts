// What `httpCrawlerOptions()` puts into a crawler, that the user's values win, and that Crawlee takes all of it.

import { BasicCrawler, CheerioCrawler, Configuration, HttpCrawler, log } from 'crawlee';
import type { CheerioCrawlerOptions, HttpCrawlerOptions, Session, SessionPool } from 'crawlee';
import { GotScrapingHttpClient, ProxyConfiguration } from '@crawlee/core';
import { expect, onTestFinished, test, vi } from 'vitest';

import { ProxySessionPool } from '../../src/index.js';
import { configure, createCrawler, listSessions, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

const NOBODY = 'http://some-key-0000:@127.0.0.1:9';

function poolSizeOf(pool: SessionPool | undefined): number | undefined {
  return pool?.['maxPoolSize'];
}

test('in the handler the pool is ours, as large as the gateway has outgoing IPs', async () => {
  const gateway = await openGateway({
    upstreams: [...localUpstreams(3), { url: 'local://127.0.0.2', name: 'the same once more' }],
  });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const pools: (SessionPool | undefined)[] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 10,
      requestHandler: (context) => void pools.push(context.crawler.sessionPool),
    }),
  );
  await crawler.run(Array.from({ length: 20 }, (_, index) => `${target.http}/${index}`));
  expect(pools.every((pool) => pool instanceof ProxySessionPool)).toBe(true);
  expect(poolSizeOf(pools[0])).toBe(3);
  expect(await listSessions(gateway)).toHaveLength(3);
});

test("the user's values win", async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const stream = vi.spyOn(GotScrapingHttpClient.prototype, 'stream');
  const httpClient = new GotScrapingHttpClient();
  const hook = vi.fn<() => void>();
  let session: Session | undefined;
  const given = {
    navigationTimeoutSecs: 7,
    httpClient,
    maxConcurrency: 2,
    preNavigationHooks: [hook],
    sessionPoolOptions: { maxPoolSize: 5, sessionOptions: { maxUsageCount: 11, userData: { a: 1 } } },
    requestHandler(context: { session?: Session }) {
      ({ session } = context);
    },
  } satisfies CheerioCrawlerOptions;
  const merged: CheerioCrawlerOptions = configuration.httpCrawlerOptions(given);
  expect(merged).toMatchObject({ navigationTimeoutSecs: 7, maxConcurrency: 2 });
  const crawler = createCrawler(merged);
  await crawler.run([`${target.http}/1`]);
  expect(poolSizeOf(crawler.sessionPool)).toBe(5);
  expect(session).toMatchObject({ maxUsageCount: 11, userData: { a: 1 } });
  expect(stream.mock.contexts).toEqual([httpClient]);
  expect(hook).toHaveBeenCalledOnce();
  expect(given.sessionPoolOptions).not.toHaveProperty('createSessionFunction');
  stream.mockRestore();
});

test('the times for a page and its handler, whose own requests are held too, outlast the longest hold', () => {
  const merged: CheerioCrawlerOptions = configure(NOBODY).httpCrawlerOptions({ requestHandler() {} });
  expect(merged.navigationTimeoutSecs).toBe(960);
  expect(merged.requestHandlerTimeoutSecs).toBe(960);
});

test('a gateway that can not be asked is reckoned to have 20 outgoing IPs', async () => {
  const configuration = configure(NOBODY);
  const pool = await ProxySessionPool.open(
    { proxyConfiguration: configuration },
    new Configuration({ persistStorage: false }),
  );
  await pool.getSession();
  expect(poolSizeOf(pool)).toBe(20);
});

test.each([
  ['another proxyConfiguration', { proxyConfiguration: new ProxyConfiguration({ proxyUrls: ['http://a:1'] }) }],
  ['no session pool', { useSessionPool: false }],
])('%s is refused with a sentence', (_name, options) => {
  expect(() => configure(NOBODY).httpCrawlerOptions(options)).toThrow(/^httpCrawlerOptions\(\) /);
});

test('its own proxyConfiguration among the options is no contradiction', () => {
  const proxyConfiguration = configure(NOBODY);
  expect(proxyConfiguration.httpCrawlerOptions({ proxyConfiguration })).toMatchObject({ proxyConfiguration });
});

test('HttpCrawler takes the preset too', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const options: HttpCrawlerOptions = configuration.httpCrawlerOptions({ requestHandler() {} });
  const crawler = new HttpCrawler(options, new Configuration({ persistStorage: false }));
  await crawler.run([`${target.http}/1`, `${target.https}/2`]);
  expect(target.visits.map(({ fromIp }) => fromIp).toSorted()).toEqual(['127.0.0.2', '127.0.0.3']);
});

test('a request that is held is not handed out twice, though Crawlee would lock it for too short a time', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(1), delays: { default: '500ms' } });
  const target = await openTarget();
  const crawler = createCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({ minConcurrency: 6, requestHandler() {} }),
  );
  const queue = await crawler.getRequestQueue();
  queue.requestLockSecs = 1;
  await crawler.run(Array.from({ length: 12 }, (_, index) => `${target.http}/${index}`));
  expect(target.visits).toHaveLength(12);
});

test('a pool that was opened alone serves a crawler without proxy configuration', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const storage = new Configuration({ persistStorage: false });
  const pool = await ProxySessionPool.open({ proxyConfiguration: configuration }, storage);
  const crawler = new BasicCrawler(
    {
      useSessionPool: false,
      async requestHandler({ sendRequest }) {
        const session = await pool.getSession();
        await sendRequest({ proxyUrl: await configuration.newUrl(session.id), sessionToken: session });
        session.retire();
      },
    },
    storage,
  );
  await crawler.run([`${target.http}/1`, `${target.https}/2`]);
  expect(target.visits.map(({ fromIp }) => fromIp).includes('127.0.0.1')).toBe(false);
  await pool.teardown();
  await configuration.close();
  expect(await listSessions(gateway)).toEqual([]);
});

test('sessions that Crawlee kept from the last run come back as ours', async () => {
  const gateway = await openGateway();
  const proxyConfiguration = configure(gateway.proxyUrl);
  const storage = new Configuration({ persistStorage: false });
  const before = await ProxySessionPool.open({ proxyConfiguration }, storage);
  const { id } = await before.getSession();
  await before.teardown();
  const after = await ProxySessionPool.open({ proxyConfiguration }, storage);
  onTestFinished(() => after.teardown());
  const session = await after.getSession(id);
  await proxyConfiguration.newUrl(id);
  expect(await listSessions(gateway)).toHaveLength(1);
  session.retire();
  await proxyConfiguration.close();
  expect(await listSessions(gateway)).toEqual([]);
});

test('a handler inside the preset is typed by the crawler around it', () => {
  const crawler = new CheerioCrawler(
    configure(NOBODY).httpCrawlerOptions({
      requestHandler({ $, session }) {
        const title: string = $('title').text();
        session?.setCookie(title, 'http://a/');
      },
    }),
    new Configuration({ persistStorage: false }),
  );
  expect(crawler).toBeInstanceOf(CheerioCrawler);
});

test('a pool without a configuration is refused with a sentence', async () => {
  // @ts-expect-error -- what a JavaScript user may write
  await expect(ProxySessionPool.open({})).rejects.toThrow('proxyConfiguration must be a SessionProxyConfiguration');
});

test('what the plugin logs has its own prefix, and never the key in it', async () => {
  const lines: string[] = [];
  const spies = (['log', 'debug', 'warn', 'error'] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation((line: unknown) => void lines.push(String(line))),
  );
  log.setLevel(log.LEVELS.DEBUG);
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  await configuration.newUrl('a');
  await gateway.close();
  await configuration.close();
  log.setLevel(log.LEVELS.OFF);
  for (const spy of spies) spy.mockRestore();
  expect(lines).toEqual([expect.stringMatching(/SessionProxy:.* Session \d+ was not deleted/)]);
  expect(lines.join('\n')).not.toContain(new URL(gateway.proxyUrl).username);
});
