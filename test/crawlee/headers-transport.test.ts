// Transport 'headers': the session in a header of each request, the ID from the answer, nothing of it at a target.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { GotScrapingHttpClient } from '@crawlee/core';
import type { BaseHttpClient } from '@crawlee/core';
import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { configure, createCrawler, listSessions, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';
import { crawlInOne, leaksOf } from './headers-crawl.js';

test('120 requests of 3 sessions, 12 at a time: 3 sessions, all pinned, nothing at the target', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { transport: 'headers' });
  const ipOfPath = new Map<string, string | undefined>();
  const ids = new Set<string | undefined>();
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 12,
      maxConcurrency: 12,
      sessionPoolOptions: { sessionOptions: { maxUsageCount: 1000 } },
      requestHandler({ request, session }) {
        const bound = session === undefined ? undefined : configuration.proxySession(session);
        ids.add(bound?.id);
        ipOfPath.set(new URL(request.url).pathname, bound?.outgoingIp);
      },
    }),
  );
  const urls = Array.from({ length: 120 }, (_, index) => `${target.http}/${index}`);
  const { retryHistogram } = await crawler.run(urls);
  expect(retryHistogram).toEqual([120]);
  expect(target.visits.filter(({ path, fromIp }) => ipOfPath.get(path) !== fromIp)).toEqual([]);
  expect(leaksOf(target)).toEqual([]);
  expect(ids).toEqual(new Set(await listSessions(gateway)));
  expect(ids.size).toBe(3);
  await configuration.close();
  expect(await listSessions(gateway)).toEqual([]);
});

test('without the option ca an https target is refused with a sentence, without a retry, before anything is sent', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const { failures, attempts } = await crawlInOne([`${target.https}/1`], gateway);
  expect(failures).toEqual([
    expect.stringMatching(/Give the CA certificate of the server as ca .* or use transport 'credentials'/),
  ]);
  expect(attempts).toBe(1);
  expect(target.visits).toEqual([]);
});

test('without the option ca a redirect to https stops there: the target is not asked, least of all with our header', async () => {
  const gateway = await openGateway();
  const target = await openTarget((path, response) => {
    if (path !== '/moved') return false;
    response.writeHead(301, { location: `${target.https}/secure` }).end();
    return true;
  });
  const { failures, attempts } = await crawlInOne([`${target.http}/moved`], gateway);
  expect(failures).toEqual([expect.stringContaining(`can't carry the session to ${target.https}/secure`)]);
  expect(attempts).toBe(1);
  expect(target.visits.map(({ path }) => path)).toEqual(['/moved']);
});

test('a client that follows to https all the same, without the option ca, takes nothing of ours along', async () => {
  const gateway = await openGateway({ targets: { allowPrivate: true, insecure: ['*'] } });
  const target = await openTarget((path, response) => {
    if (path !== '/moved') return false;
    response.writeHead(301, { location: `${target.https}/secure` }).end();
    return true;
  });
  class Headstrong extends GotScrapingHttpClient {
    override stream(...[request, onRedirect]: Parameters<GotScrapingHttpClient['stream']>) {
      return super.stream({ ...request, followRedirect: true }, onRedirect);
    }
  }
  await crawlInOne([`${target.http}/moved`], gateway, {}, { httpClient: new Headstrong() });
  expect(target.visits.map(({ path }) => path)).toEqual(['/moved', '/secure']);
  expect(leaksOf(target)).toEqual([]);
});

test('an HTTP client that can not be kept from taking the header along is refused, in words', () => {
  class Foreign implements BaseHttpClient {
    readonly sendRequest = (): never => expect.unreachable();
    readonly stream = (): never => expect.unreachable();
  }
  const proxyUrl = 'http://some-key-0000:@127.0.0.1:9';
  const options = { requestHandler() {}, httpClient: new Foreign() };
  expect(() => configure(proxyUrl, { transport: 'headers' }).httpCrawlerOptions(options)).toThrow(
    "transport 'headers' does not go with the httpClient Foreign",
  );
  expect(configure(proxyUrl).httpCrawlerOptions(options)).toHaveProperty('httpClient');
});

test('a redirect on the first request makes one session and stays in it', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(4) });
  const target = await openTarget((path, response) => {
    if (!path.startsWith('/hop')) return false;
    const hop = Number(path.slice(4));
    response.writeHead(302, { location: hop < 3 ? `/hop${hop + 1}` : '/end' }).end();
    return true;
  });
  const { finished } = await crawlInOne([`${target.http}/hop1`], gateway);
  expect(finished).toBe(1);
  expect(target.visits.map(({ path }) => path)).toEqual(['/hop1', '/hop2', '/hop3', '/end']);
  expect(new Set(target.visits.map(({ fromIp }) => fromIp)).size).toBe(1);
  expect(await listSessions(gateway)).toHaveLength(1);
});

test('when the first request brings no ID, the next in line asks', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { transport: 'headers' });
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 6,
      maxConcurrency: 6,
      sessionPoolOptions: { maxPoolSize: 1 },
      requestHandler() {},
    }),
  );
  const unreachable = [`http://127.0.0.1:9/1`, `http://127.0.0.1:9/2`];
  const good = Array.from({ length: 5 }, (_, index) => `${target.http}/${index}`);
  const { requestsFinished, requestsFailed } = await crawler.run([...unreachable, ...good]);
  expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 5, requestsFailed: 2 });
  expect(new Set(target.visits.map(({ fromIp }) => fromIp)).size).toBe(1);
  expect(await listSessions(gateway)).toHaveLength(1);
});

test('a session that the gateway forgot is retired, and the request goes on in another', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { transport: 'headers' });
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1 },
      async requestHandler({ session }) {
        const bound = session === undefined ? undefined : configuration.proxySession(session);
        if (bound !== undefined && target.visits.length === 1)
          await new SessionsClient(gateway.proxyUrl).deletePlain(bound.id);
      },
    }),
  );
  const { requestsFinished, requestsFailed } = await crawler.run([`${target.http}/1`, `${target.http}/2`]);
  expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 2, requestsFailed: 0 });
  expect(await listSessions(gateway)).toHaveLength(1);
});

test('what a handler sends before any page was loaded has a session too', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { transport: 'headers' });
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      async requestHandler({ sendRequest }) {
        await Promise.all([sendRequest(), sendRequest(), sendRequest()]);
      },
    }),
  );
  await crawler.run([{ url: `${target.http}/1`, skipNavigation: true }]);
  expect(target.visits).toHaveLength(3);
  expect(new Set(target.visits.map(({ fromIp }) => fromIp)).size).toBe(1);
  expect(leaksOf(target)).toEqual([]);
  expect(await listSessions(gateway)).toHaveLength(1);
});

test('with the option proxyConfiguration alone it stops the run and says what to do', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const proxyConfiguration = configure(gateway.proxyUrl, { transport: 'headers' });
  const crawler = createCrawler({ proxyConfiguration, requestHandler() {} });
  await expect(crawler.run([`${target.http}/1`])).rejects.toThrow(
    "Use httpCrawlerOptions() or transport 'credentials'",
  );
  expect(target.visits).toEqual([]);
});

test('a proxy that knows no sessions is told as such', async () => {
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>hello'));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const proxyUrl = `http://some-key-0000:@127.0.0.1:${(server.address() as AddressInfo).port}`;
  const run = crawlInOne(['http://example.test/1'], { proxyUrl });
  await expect(run).rejects.toThrow('is no server of the session protocol: its answer names no session');
});
