// Failures that are no lost session: the target's own, the gateway's want of room, a proxy of somebody else's.

import { setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';

import { ProxyConfiguration } from 'crawlee';
import { expect, test } from 'vitest';

import { configure, createCrawler, listSessions, localUpstreams, openGateway, withWrongKey } from './crawl.js';
import { openTarget } from './crawl-target.js';

test.each(['http', 'https'] as const)('%s: a target that answers 400 itself retires nothing', async (scheme) => {
  const gateway = await openGateway();
  const target = await openTarget((_path, response) => {
    response.writeHead(400, { 'content-type': 'text/html', 'x-crawlera-error': 'bad_session_id' });
    response.end('<p>no');
    return true;
  });
  const sessions = new Set<string | undefined>();
  const crawler = createCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1 },
      requestHandler: ({ session }) => void sessions.add(session?.id),
    }),
  );
  const { retryHistogram } = await crawler.run([`${target[scheme]}/1`, `${target[scheme]}/2`]);
  expect(retryHistogram).toEqual([2]);
  expect(sessions.size).toBe(1);
});

test.each(['http', 'https'] as const)(
  '%s: a target that can not be reached costs a retry, not a session',
  async (scheme) => {
    const gateway = await openGateway();
    const sessions = new Set<string | undefined>();
    const errors: Error[] = [];
    const crawler = createCrawler(
      configure(gateway.proxyUrl).httpCrawlerOptions({
        maxConcurrency: 1,
        maxRequestRetries: 1,
        sessionPoolOptions: { maxPoolSize: 1 },
        preNavigationHooks: [({ session }: { session?: { id: string } }) => void sessions.add(session?.id)],
        requestHandler() {},
        errorHandler: (_context, error) => void errors.push(error),
      }),
    );
    const { requestsFailed } = await crawler.run([`${scheme}://127.0.0.1:9/`]);
    expect(requestsFailed).toBe(1);
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^The gateway (answered 502 econnrefused|opened no tunnel) for https?:\/\/127\.0\.0\.1:9\//,
      ),
    ]);
    expect(sessions.size).toBe(1);
    expect(await listSessions(gateway)).toHaveLength(1);
  },
);

test.each(['http', 'https'] as const)(
  '%s: a gateway that is too busy costs neither retries nor the session, and every page is had',
  async (scheme) => {
    const gateway = await openGateway({ upstreams: localUpstreams(1), delays: { default: '100ms', maxHold: '300ms' } });
    const target = await openTarget();
    const messages: string[] = [];
    const crawler = createCrawler(
      configure(gateway.proxyUrl, { pacing: 'gateway' }).httpCrawlerOptions({
        minConcurrency: 12,
        maxConcurrency: 12,
        requestHandler() {},
        errorHandler: (_context, error) => void messages.push(error.message),
      }),
    );
    const { requestsFinished, requestsFailed } = await crawler.run(
      Array.from({ length: 20 }, (_, index) => `${target[scheme]}/${index}`),
    );
    expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 20, requestsFailed: 0 });
    expect(messages.length).toBeGreaterThan(0);
    for (const message of messages)
      expect(message).toMatch(/^The gateway (answered 503 serverbusy|opened no tunnel) for /);
    expect(crawler.sessionPool?.getState().sessions.map(({ errorScore }) => errorScore)).toEqual([0]);
    expect(await listSessions(gateway)).toHaveLength(1);
  },
);

test('left to itself, a crawler never asks for more than the gateway holds', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2), delays: { default: '50ms', maxHold: '400ms' } });
  const target = await openTarget();
  const errors: string[] = [];
  const crawler = createCrawler(
    configure(gateway.proxyUrl, { pacing: 'gateway' }).httpCrawlerOptions({
      requestHandler() {},
      errorHandler: (_context, error) => void errors.push(error.message),
    }),
  );
  const { requestsFinished } = await crawler.run(Array.from({ length: 60 }, (_, index) => `${target.http}/${index}`));
  expect(requestsFinished).toBe(60);
  expect(errors).toEqual([]);
  expect(crawler.autoscaledPool?.maxConcurrency).toBe(8);
});

test.each(['http', 'https'] as const)(
  '%s: a gateway that is restarted in the middle of a run loses no page',
  async (scheme) => {
    const apiKeys = ['some-key-1234'];
    const first = await openGateway({ apiKeys });
    const port = Number(new URL(first.url).port);
    const target = await openTarget();
    let restarted: Promise<unknown> | undefined;
    const crawler = createCrawler(
      configure(first.proxyUrl).httpCrawlerOptions({
        maxConcurrency: 4,
        maxRequestRetries: 3,
        requestHandler() {
          restarted ??= first
            .close()
            .then(() => setTimeout(700))
            .then(() => openGateway({ apiKeys, port }));
        },
      }),
    );
    const { requestsFinished, requestsFailed } = await crawler.run(
      Array.from({ length: 40 }, (_, index) => `${target[scheme]}/${index}`),
    );
    await restarted;
    expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 40, requestsFailed: 0 });
  },
);

test("a target's own 407 is a page like any other", async () => {
  const gateway = await openGateway();
  const target = await openTarget((_path, response) => {
    response.writeHead(407, { 'content-type': 'text/html' }).end('<p>no');
    return true;
  });
  for (const transport of ['credentials', 'headers'] as const) {
    const statuses: unknown[] = [];
    const crawler = createCrawler(
      configure(gateway.proxyUrl, { transport }).httpCrawlerOptions({
        requestHandler: ({ response }) => void statuses.push(response.statusCode),
      }),
    );
    await crawler.run([`${target.http}/`]);
    expect(statuses).toEqual([407]);
  }
});

test('no error shows the API key, however deep it is looked into', async () => {
  const gateway = await openGateway({ apiKeys: ['a-secret-key-1234'] });
  const shown: string[] = [];
  const crawler = createCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({
      requestHandler() {},
      failedRequestHandler: (_context, error) => void shown.push(inspect(error, { depth: 10 })),
    }),
  );
  await crawler.run(['http://127.0.0.1:9/', 'https://127.0.0.1:9/']);
  expect(shown).toHaveLength(2);
  expect(shown.join()).not.toContain('a-secret-key');
});

test('a web server at the address of the gateway stops the run', async () => {
  const target = await openTarget();
  const configuration = configure(target.http.replace('//', '//some-key-1234:@'));
  const crawler = createCrawler(configuration.httpCrawlerOptions({ requestHandler() {} }));
  await expect(crawler.run([`${target.http}/`])).rejects.toThrow('no server of the session protocol');
});

test('requests through a proxy that is not ours pass untouched', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const other = new ProxyConfiguration({
    proxyUrls: [withWrongKey((await openGateway()).proxyUrl)],
  });
  const statuses: unknown[] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      async requestHandler({ sendRequest }) {
        const proxyUrl = (await other.newUrl()) ?? '';
        statuses.push((await sendRequest({ url: `${target.http}/other`, proxyUrl })).statusCode);
      },
    }),
  );
  await crawler.run([`${target.http}/`]);
  expect(statuses).toEqual([407]);
});
