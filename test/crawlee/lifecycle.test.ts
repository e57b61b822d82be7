// The life of gateway sessions over a whole crawl: many that come and go, a gateway that forgets them all, sessions that
// are recreated behind their Crawlee session, an end that keeps them.

import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { Configuration } from 'crawlee';
import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { SessionBindings } from '../../src/crawlee/session-bindings.js';
import { ProxySessionPool } from '../../src/index.js';
import { configure, createCrawler, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

async function forgetAll({ proxyUrl }: { readonly proxyUrl: string }): Promise<void> {
  const client = new SessionsClient(proxyUrl);
  for await (const { id } of client.listAll()) await client.delete(id);
}

test('of 1,000 sessions that come and go none is left, here or at the gateway', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(4) });
  const configuration = configure(gateway.proxyUrl);
  const pool = await ProxySessionPool.open(
    { proxyConfiguration: configuration, maxPoolSize: 10 },
    new Configuration({ persistStorage: false }),
  );
  const urls = new Set<string>();
  let mostAtOnce = 0;
  const comeAndGo = async (): Promise<void> => {
    for (let times = 0; urls.size < 1000; times += 1) {
      const session = await pool.getSession();
      urls.add(await configuration.newUrl(session.id).catch(() => 'retired by another meanwhile'));
      session.retire();
      if (times % 25 === 0) mostAtOnce = Math.max(mostAtOnce, (await listSessions(gateway)).length);
    }
  };
  await Promise.all(Array.from({ length: 12 }, comeAndGo));
  await pool.teardown();
  expect(urls.size).toBeGreaterThanOrEqual(1000);
  // Some are on their way to be deleted at any time.
  expect(mostAtOnce).toBeLessThan(100);
  expect(pool.getState().sessions.length).toBeLessThanOrEqual(10);
  expect(await listSessions(gateway)).toEqual([]);
});

test('a crawl of pages with a session each leaves none', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(4) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const ids = new Set<string | undefined>();
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1, sessionOptions: { maxUsageCount: 1 } },
      requestHandler: ({ session }) => void ids.add(session && configuration.proxySession(session)?.id),
    }),
  );
  await crawler.run(mixedUrls(target, 30));
  expect(ids.size).toBe(30);
  expect(await listSessions(gateway)).toEqual([]);
});

test('bindings that come and go take no more memory as they go on', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let made = 0;
  const bindings = new SessionBindings({
    create: () => Promise.resolve({ id: String((made += 1)), outgoingIp: '127.0.0.2' }),
    isThere: () => Promise.resolve(true),
    recreatesLost: () => false,
    isFull: () => false,
    delete: () => Promise.resolve(),
    onDeleteFailed: () => undefined,
  });
  const churn = async (count: number): Promise<number> => {
    for (let index = 0; index < count; index += 1) {
      const crawleeId = `session_${made}`;
      await bindings.bind(crawleeId);
      bindings.release(crawleeId);
    }
    await bindings.settled();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await churn(5_000);
  const after = await churn(50_000);
  expect(after - before).toBeLessThan(2_000_000);
});

/** A hop before a gateway that counts the sessions made through it, and can be led to another gateway. */
async function openCountingHop(
  first: string,
): Promise<{ readonly url: string; leadTo(url: string): void; made(): number }> {
  let to = new URL(first);
  let posts = 0;
  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/api/sessions') posts += 1;
    const { method, url: path, headers } = request;
    const passed = forward({ host: to.hostname, port: to.port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const url = new URL(first);
  url.host = `127.0.0.1:${port}`;
  return { url: url.href, leadTo: (next) => (to = new URL(next)), made: () => posts };
}

test.each([
  ['gateway', 0],
  ['client', '20ms'],
] as const)(
  'pacing %s: a gateway without its memory ends the crawl complete, each session replaced once',
  async (pacing, delay) => {
    const apiKeys = ['some-key-1234'];
    const settings = { apiKeys, upstreams: localUpstreams(5), delays: { default: delay } };
    const first = await openGateway(settings);
    const second = await openGateway(settings);
    const hop = await openCountingHop(first.proxyUrl);
    const target = await openTarget();
    const configuration = configure(hop.url, { pacing });
    let pages = 0;
    const crawler = createCrawler(
      configuration.httpCrawlerOptions({
        minConcurrency: 5,
        maxConcurrency: 5,
        maxRequestRetries: 3,
        async requestHandler() {
          pages += 1;
          if (pages !== 40) return;
          hop.leadTo(second.proxyUrl);
          await first.close();
        },
      }),
    );
    const { requestsFinished, requestsFailed } = await crawler.run(
      Array.from({ length: 100 }, (_, index) => `${target.http}/${index}`),
    );
    expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 100, requestsFailed: 0 });
    expect(hop.made()).toBe(10);
    expect(await listSessions(second)).toHaveLength(5);
    await configuration.close();
    expect(await listSessions(second)).toEqual([]);
  },
);

test.each(['http', 'https'] as const)(
  "%s: onSessionLost 'recreate' goes on in the same Crawlee session, with one new gateway session and no retry",
  async (scheme) => {
    const gateway = await openGateway({ upstreams: localUpstreams(2) });
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl, { onSessionLost: 'recreate' });
    const pairs: [string, string | undefined][] = [];
    const crawler = createCrawler(
      configuration.httpCrawlerOptions({
        minConcurrency: 6,
        maxConcurrency: 6,
        sessionPoolOptions: { maxPoolSize: 1 },
        async requestHandler({ session, request, addRequests, sendRequest }) {
          if (session === undefined) return;
          pairs.push([session.id, configuration.proxySession(session)?.id]);
          if (!request.url.endsWith('/first')) return;
          await forgetAll(gateway);
          await sendRequest({ url: `${target[scheme]}/extra`, https: { rejectUnauthorized: false } });
          await forgetAll(gateway);
          await addRequests(Array.from({ length: 8 }, (_, index) => `${target[scheme]}/${index}`));
        },
      }),
    );
    const { requestsFinished, retryHistogram } = await crawler.run([`${target[scheme]}/first`]);
    expect(requestsFinished).toBe(9);
    expect(retryHistogram).toEqual([9]);
    expect(new Set(pairs.map(([crawleeId]) => crawleeId)).size).toBe(1);
    expect(new Set(pairs.slice(1).map(([, id]) => id))).toEqual(new Set(await listSessions(gateway)));
    expect(target.visits.map(({ path }) => path).toSorted()).toEqual(
      ['/first', '/extra', ...Array.from({ length: 8 }, (_, index) => `/${index}`)].toSorted(),
    );
  },
);

test("onSessionLost 'recreate' sends what may change something at the target no second time by itself", async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { onSessionLost: 'recreate' });
  const outcomes: unknown[] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      async requestHandler({ sendRequest }) {
        await forgetAll(gateway);
        const order = { url: `${target.http}/order`, method: 'POST', body: 'one' } as const;
        outcomes.push(await sendRequest(order).catch((error: unknown) => error));
        outcomes.push((await sendRequest(order)).statusCode);
      },
    }),
  );
  await crawler.run([`${target.http}/1`]);
  expect(outcomes).toEqual([expect.objectContaining({ name: 'SessionReplaced' }), 200]);
  expect(target.visits.filter(({ path }) => path === '/order')).toHaveLength(1);
});

test('a handler that is called after an interruption that never came: close() ends all', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const listeners = process.listenerCount('SIGINT');
  const crawler = createCrawler(configuration.httpCrawlerOptions({ requestHandler() {} }));
  await crawler.run(mixedUrls(target, 4));
  // Whoever listens to the signal keeps the user's program from ending.
  expect(process.listenerCount('SIGINT')).toBe(listeners);
  await configuration.close();
  expect(await listSessions(gateway)).toEqual([]);
});
