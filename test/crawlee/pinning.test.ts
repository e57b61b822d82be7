// That a Crawlee session has one gateway session, made once, and that its requests leave by that session's IP alone.

import { Session, SessionPool } from 'crawlee';
import { expect, test } from 'vitest';

import { createCrawler, configure, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

test('20 parallel calls of newProxyInfo for one Crawlee session make one gateway session', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  const infos = await Promise.all(Array.from({ length: 20 }, () => configuration.newProxyInfo('session_a')));
  expect(new Set(infos.map(({ url }) => url)).size).toBe(1);
  expect(await listSessions(gateway)).toHaveLength(1);
});

test('the session ID stands in the password, and Crawlee session ids stay here', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  const info = await configuration.newProxyInfo('a/very:odd id,of-mine');
  const [id] = await listSessions(gateway);
  expect(info).toMatchObject({ sessionId: 'a/very:odd id,of-mine', password: `session-${id}`, hostname: '127.0.0.1' });
  expect(info.url).toBe(gateway.proxyUrl.replace(':@', `:session-${id}@`));
});

test('a number is a session id too', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  expect(await configuration.newUrl(7)).toBe(await configuration.newUrl('7'));
});

test('without a session id it is the gateway without a session, in the ways of Crawlee 3 and 4', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  expect(await configuration.newUrl()).toBe(gateway.proxyUrl);
  expect((await configuration.newProxyInfo({})).url).toBe(gateway.proxyUrl);
  expect(await listSessions(gateway)).toEqual([]);
});

test('proxySession tells ID and outgoing IP from the first use to the retirement', async () => {
  const gateway = await openGateway();
  const configuration = configure(gateway.proxyUrl);
  const session = new Session({ sessionPool: new SessionPool() });
  expect(configuration.proxySession(session)).toBeUndefined();
  await configuration.newUrl(session.id);
  const [id] = await listSessions(gateway);
  expect(configuration.proxySession(session)).toEqual({ id, outgoingIp: '127.0.0.2' });
});

test.each(['preset', 'drop-in'])(
  '20 sessions, 400 requests, 20 at a time, http and https: none by another IP than its session (%s)',
  async (way) => {
    const gateway = await openGateway({ upstreams: localUpstreams(20), delays: { default: '5ms' } });
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl);
    const ipOfPath = new Map<string, string | undefined>();
    const sessions = new Set<string | undefined>();
    const options = {
      maxConcurrency: 20,
      minConcurrency: 20,
      sessionPoolOptions: { maxPoolSize: 20 },
      requestHandler({ request, session }: { request: { url: string }; session?: Session }) {
        const bound = session === undefined ? undefined : configuration.proxySession(session);
        sessions.add(bound?.id);
        ipOfPath.set(new URL(request.url).pathname, bound?.outgoingIp);
      },
    };
    const crawler = createCrawler(
      way === 'preset' ? configuration.httpCrawlerOptions(options) : { ...options, proxyConfiguration: configuration },
    );
    const { requestsFinished, retryHistogram } = await crawler.run(mixedUrls(target, 400));
    expect({ requestsFinished, retryHistogram }).toEqual({ requestsFinished: 400, retryHistogram: [400] });
    expect(sessions.size).toBe(20);
    expect(target.visits).toHaveLength(400);
    const astray = target.visits.filter(({ path, fromIp }) => ipOfPath.get(path) !== fromIp);
    expect(astray).toEqual([]);
    expect(new Set(target.visits.map(({ fromIp }) => fromIp)).size).toBe(20);
    expect(await listSessions(gateway)).toHaveLength(20);
    await configuration.close();
    expect(await listSessions(gateway)).toEqual([]);
  },
);

test('what a handler sends goes the way of its session, http and https', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(4) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const ips: (string | undefined)[][] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      async requestHandler({ sendRequest, session, $ }) {
        const over = await Promise.all([target.http, target.https].map((url) => sendRequest({ url: `${url}/extra` })));
        const seen = over.map(({ body }) => /class="ip">([^<]+)/.exec(body)?.[1]);
        ips.push([$('.ip').text(), session && configuration.proxySession(session)?.outgoingIp, ...seen]);
      },
    }),
  );
  await crawler.run(mixedUrls(target, 12));
  expect(ips).toHaveLength(12);
  expect(ips.filter((row) => new Set(row).size !== 1)).toEqual([]);
});
