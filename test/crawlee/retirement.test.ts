// That the end of a Crawlee session is the end of its gateway session, and that nothing is left after `close()`.

import { Configuration, Session, type SessionPool } from 'crawlee';
import { expect, onTestFinished, test, vi } from 'vitest';

import { ProxySessionPool, SessionProxyConfiguration } from '../../src/index.js';
import { configure, createCrawler, listSessions, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

test('a Crawlee session that retires deletes its gateway session', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const retired: (string | undefined)[] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1 },
      requestHandler({ session, request }) {
        if (session === undefined || !request.url.endsWith('/1')) return;
        retired.push(configuration.proxySession(session)?.id);
        session.retire();
        session.retire();
        expect(configuration.proxySession(session)).toBeUndefined();
      },
    }),
  );
  await crawler.run([`${target.http}/1`, `${target.http}/2`]);
  const left = await listSessions(gateway);
  expect(left).toHaveLength(1);
  expect(left).not.toEqual(retired);
});

for (const [whose, createSessionFunction] of [
  ['the plugin makes', undefined],
  ['the user makes', (sessionPool: SessionPool) => new Session({ sessionPool })],
] as const) {
  test(`a session that ${whose} and a handler retires once is not used again, though its page was good`, async () => {
    const gateway = await openGateway({ upstreams: localUpstreams(1) });
    const target = await openTarget();
    const errors: unknown[] = [];
    const ids = new Set<string | undefined>();
    const crawler = createCrawler(
      configure(gateway.proxyUrl).httpCrawlerOptions({
        maxConcurrency: 1,
        sessionPoolOptions: { maxPoolSize: 3, ...(createSessionFunction && { createSessionFunction }) },
        requestHandler({ session }) {
          ids.add(session?.id);
          session?.retire();
        },
        errorHandler: (_, error) => void errors.push(error),
      }),
    );
    // One outgoing IP: of more, each retirement would ban one.
    await crawler.run(Array.from({ length: 20 }, (_, index) => `${target.http}/${index}`));
    expect(errors).toEqual([]);
    expect(ids.size).toBe(20);
    expect(await listSessions(gateway)).toEqual([]);
  });
}

test('a page that the target blocks retires the session, here as at the gateway', async () => {
  const gateway = await openGateway();
  const target = await openTarget((path, response) => {
    if (path !== '/blocked') return false;
    response.writeHead(403, { 'content-type': 'text/html' }).end('<p>no');
    return true;
  });
  const configuration = configure(gateway.proxyUrl);
  const crawler = createCrawler(configuration.httpCrawlerOptions({ requestHandler() {} }));
  await crawler.run([`${target.http}/blocked`]);
  expect(await listSessions(gateway)).toEqual([]);
});

test('a session whose time is up while nobody uses it is ended when the pool drops it', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  const pool = await ProxySessionPool.open(
    { proxyConfiguration: configuration, maxPoolSize: 1, sessionOptions: { maxAgeSecs: 0.02 } },
    new Configuration({ persistStorage: false }),
  );
  onTestFinished(() => pool.teardown());
  const session = await pool.getSession();
  await configuration.newUrl(session.id);
  await vi.waitFor(() => expect(session.isExpired()).toBe(true));
  expect(await listSessions(gateway)).toHaveLength(1);
  expect((await pool.getSession()).id).not.toBe(session.id);
  await vi.waitFor(async () => expect(await listSessions(gateway)).toEqual([]));
});

test('a session that was used as often as it may be is ended', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1, sessionOptions: { maxUsageCount: 2 } },
      requestHandler() {},
    }),
  );
  await crawler.run(Array.from({ length: 6 }, (_, index) => `${target.http}/${index}`));
  expect(target.visits).toHaveLength(6);
  expect(await listSessions(gateway)).toEqual([]);
});

test('requests under way when their session is retired finish in it', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(1), delays: { default: '50ms' } });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 10,
      maxConcurrency: 10,
      sessionPoolOptions: { maxPoolSize: 1, sessionOptions: { maxUsageCount: 3 } },
      requestHandler() {},
    }),
  );
  const { retryHistogram } = await crawler.run(Array.from({ length: 20 }, (_, index) => `${target.http}/${index}`));
  expect(retryHistogram).toEqual([20]);
  await configuration.close();
  expect(await listSessions(gateway)).toEqual([]);
});

test('a second run has sessions of its own and ends those of the first, and close() ends the rest', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const sessions = new Set<string | undefined>();
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      sessionPoolOptions: { maxPoolSize: 1 },
      requestHandler({ session }) {
        if (session !== undefined) sessions.add(configuration.proxySession(session)?.id);
      },
    }),
  );
  await crawler.run([`${target.http}/1`]);
  await crawler.run([`${target.http}/1`, `${target.https}/2`]);
  expect(target.visits).toHaveLength(3);
  expect(sessions.size).toBe(2);
  expect(await listSessions(gateway)).toEqual([[...sessions].at(-1)]);
  await configuration.close();
  expect(await listSessions(gateway)).toEqual([]);
});

test('close() ends what the drop-in made, unless it is to be kept', async () => {
  const gateway = await openGateway();
  const kept = configure(gateway.proxyUrl);
  await Promise.all(['a', 'b', 'c'].map((id) => kept.newUrl(id)));
  await kept.close({ keepSessions: true });
  expect(await listSessions(gateway)).toHaveLength(3);
  const ended = configure(gateway.proxyUrl);
  await Promise.all(['a', 'b', 'c'].map((id) => ended.newUrl(id)));
  expect(await listSessions(gateway)).toHaveLength(6);
  await ended.close();
  expect(await listSessions(gateway)).toHaveLength(3);
});

test('close() waits for sessions that are being made, and none can be made after it', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  const making = configuration.newUrl('a');
  await configuration.close();
  await making;
  expect(await listSessions(gateway)).toEqual([]);
  await expect(configuration.newUrl('b')).rejects.toThrow('was closed');
});

test('close() does not mind that the gateway is gone', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  await configuration.newUrl('a');
  await gateway.close();
  await expect(configuration.close()).resolves.toBeUndefined();
});

test('await using closes', async () => {
  const gateway = await openGateway();
  {
    await using configuration = new SessionProxyConfiguration({ proxyUrl: gateway.proxyUrl });
    await configuration.newUrl('a');
    expect(await listSessions(gateway)).toHaveLength(1);
  }
  expect(await listSessions(gateway)).toEqual([]);
});

test('sessions of a class of the user’s own are watched too', async () => {
  class OwnSession extends Session {
    readonly isMine = true;
  }
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const classes: unknown[] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      sessionPoolOptions: {
        createSessionFunction: (sessionPool, options) =>
          new OwnSession({ ...options?.sessionOptions, sessionPool, userData: { from: 'me' } }),
      },
      requestHandler({ session }) {
        classes.push(session instanceof OwnSession, session?.userData);
        session?.retire();
      },
    }),
  );
  await crawler.run([`${target.http}/1`]);
  expect(classes).toEqual([true, { from: 'me' }]);
  expect(target.visits[0]?.fromIp).not.toBe('127.0.0.1');
  expect(await listSessions(gateway)).toEqual([]);
});
