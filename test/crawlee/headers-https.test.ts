// Transport 'headers' over https: the header inside the tunnel where the gateway's own certificate says that it is read
// there, and nowhere else; answers from inside tunnels read as what they are.

import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

import { BasicCrawler, Configuration } from 'crawlee';
import type { BasicCrawlingContext } from 'crawlee';
import { expect, onTestFinished, test, vi } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import type { Gateway, GatewayOptions } from '../../src/gateway/index.js';
import { authorityOf } from '../support/intercepted.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { configure, createCrawler, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';
import { crawlInOne, leaksOf } from './headers-crawl.js';

/** A gateway that takes the targets' self-signed certificates, and its CA. */
async function openTrusted(options: GatewayOptions = {}): Promise<{ readonly gateway: Gateway; readonly ca: string }> {
  const gateway = await openGateway({ targets: { allowPrivate: true, insecure: ['*'] }, ...options });
  return { gateway, ca: await authorityOf(Number(new URL(gateway.url).port)) };
}

test('90 requests over http and https in 3 sessions, 12 at a time: all pinned, nothing of ours at the target', async () => {
  const { gateway, ca } = await openTrusted({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { transport: 'headers', ca });
  const ipOfPath = new Map<string, string | undefined>();
  const ids = new Set<string | undefined>();
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 12,
      maxConcurrency: 12,
      sessionPoolOptions: { sessionOptions: { maxUsageCount: 1000 } },
      async requestHandler({ request, session, sendRequest }) {
        const bound = session === undefined ? undefined : configuration.proxySession(session);
        ids.add(bound?.id);
        const { pathname } = new URL(request.url);
        ipOfPath.set(pathname, bound?.outgoingIp);
        if (!pathname.endsWith('5')) return;
        ipOfPath.set(`${pathname}-sub`, bound?.outgoingIp);
        await sendRequest({ url: `${target.https}${pathname}-sub` });
      },
    }),
  );
  const { retryHistogram } = await crawler.run(mixedUrls(target, 90));
  expect(retryHistogram).toEqual([90]);
  expect(target.visits).toHaveLength(99);
  expect(target.visits.filter(({ path, fromIp }) => ipOfPath.get(path) !== fromIp)).toEqual([]);
  expect(leaksOf(target)).toEqual([]);
  expect(ids).toEqual(new Set(await listSessions(gateway)));
  expect(ids.size).toBe(3);
});

test('a gateway that does not look inside is found out before the header is sent', async () => {
  const { gateway, ca } = await openTrusted({ intercept: 'never' });
  const target = await openTarget();
  for (const url of [`${target.https}/1`, `${target.http2}/2`]) {
    const { failures, attempts } = await crawlInOne([url], gateway, { ca });
    expect(failures).toEqual([expect.stringContaining(`Nothing was sent to ${url}: what answers inside the tunnel`)]);
    expect(attempts).toBe(1);
  }
  expect(target.visits).toEqual([]);
});

test('a redirect into a blind tunnel ends there', async () => {
  const { gateway, ca } = await openTrusted({ intercept: 'never' });
  const target = await openTarget((path, response) => {
    if (path !== '/moved') return false;
    response.writeHead(301, { location: `${target.https}/secure` }).end();
    return true;
  });
  const { failures } = await crawlInOne([`${target.http}/moved`], gateway, { ca });
  expect(failures).toEqual([expect.stringContaining('what answers inside the tunnel')]);
  expect(target.visits.map(({ path }) => path)).toEqual(['/moved']);
  expect(leaksOf(target)).toEqual([]);
});

test('the CA of another server does not count: the certificate is verified, whatever Crawlee has as its default', async () => {
  const target = await openTarget();
  const { gateway } = await openTrusted();
  const { failures } = await crawlInOne([`${target.https}/1`], gateway, { ca: SELF_SIGNED.cert });
  expect(failures).toEqual([expect.stringContaining('no certificate of the CA in the option ca')]);
  expect(target.visits).toEqual([]);
});

test('a target that speaks HTTP/2 is offered none once it is to be sent something, and is sent nothing', async () => {
  const [offers, sent]: [(readonly string[])[], string[]] = [[], []];
  const ALPNCallback = ({ protocols }: { readonly protocols: readonly string[] }): string | undefined => {
    offers.push(protocols);
    return protocols[0];
  };
  const target = createTlsServer({ ...SELF_SIGNED, ALPNCallback }, (socket) =>
    socket.on('data', (chunk) => void sent.push(String(chunk))),
  );
  const sockets = new Set<Socket>();
  target.on('tlsClientError', (_error, socket) => void socket.destroy());
  await new Promise<void>((resolve) => void target.listen(0, '127.0.0.1', resolve));
  const proxy = createHttpServer((_request, response) => response.writeHead(404).end());
  proxy.on('connect', (_request, client: Socket) => {
    const remote = connect((target.address() as AddressInfo).port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      client.pipe(remote).pipe(client);
    });
    for (const socket of [client, remote]) sockets.add(socket.on('error', () => undefined));
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    target.close();
    proxy.close();
  });
  const proxyUrl = `http://some-key-0000:@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { ca } = await openTrusted();
  const { failures } = await crawlInOne(['https://some.example/1'], { proxyUrl }, { ca });
  expect(failures).toEqual([expect.stringContaining('Nothing was sent to https://some.example/1')]);
  // The first is got-scraping's own question, on a connection of its own; the second makes no offer at all.
  expect(sockets.size).toBe(4);
  expect(offers).toEqual([['h2', 'http/1.1']]);
  expect(sent).toEqual([]);
});

for (const [name, from, to] of [
  ['http to https', 'http', 'https'],
  ['https to http', 'https', 'http'],
  ['https to another https host', 'https', 'otherHttps'],
] as const) {
  test(`a redirect from ${name} stays in its session, which is made once`, async () => {
    const { gateway, ca } = await openTrusted({ upstreams: localUpstreams(4) });
    const target = await openTarget((path, response) => {
      if (path !== '/moved') return false;
      response.writeHead(302, { location: `${places[to]}/arrived` }).end();
      return true;
    });
    const places = { ...target, otherHttps: target.https.replace('127.0.0.1', 'localhost') };
    const { finished } = await crawlInOne([`${target[from]}/moved`], gateway, { ca });
    expect(finished).toBe(1);
    expect(target.visits.map(({ path }) => path)).toEqual(['/moved', '/arrived']);
    expect(new Set(target.visits.map(({ fromIp }) => fromIp)).size).toBe(1);
    expect(leaksOf(target)).toEqual([]);
    expect(await listSessions(gateway)).toHaveLength(1);
  });
}

test('a BasicCrawler sends by its sessions too, over http and https', async () => {
  const { gateway, ca } = await openTrusted();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { transport: 'headers', ca });
  const ipOfPath = new Map<string, string | undefined>();
  const crawler = new BasicCrawler(
    configuration.basicCrawlerOptions({
      minConcurrency: 4,
      async requestHandler(context: BasicCrawlingContext) {
        const { request, session } = context;
        await context.sendRequest();
        ipOfPath.set(new URL(request.url).pathname, session && configuration.proxySession(session)?.outgoingIp);
      },
    }),
    new Configuration({ persistStorage: false }),
  );
  await crawler.run(mixedUrls(target, 12));
  expect(target.visits).toHaveLength(12);
  expect(new Map(target.visits.map(({ path, fromIp }) => [path, fromIp]))).toEqual(ipOfPath);
  expect(leaksOf(target)).toEqual([]);
  expect(await listSessions(gateway)).toHaveLength(2);
});

test('a session that was lost is told inside the tunnel; the request goes on in another', async () => {
  const { gateway, ca } = await openTrusted();
  const target = await openTarget();
  const lost = vi.fn<(id: string) => Promise<boolean>>((id) => new SessionsClient(gateway.proxyUrl).deletePlain(id));
  const configuration = configure(gateway.proxyUrl, { transport: 'headers', ca });
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1 },
      async requestHandler({ session }) {
        const bound = session === undefined ? undefined : configuration.proxySession(session);
        if (bound !== undefined && lost.mock.calls.length === 0) await lost(bound.id);
      },
    }),
  );
  const { requestsFinished, requestsFailed } = await crawler.run([`${target.https}/1`, `${target.https}/2`]);
  expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 2, requestsFailed: 0 });
  expect(target.visits).toHaveLength(2);
  expect(await listSessions(gateway)).toHaveLength(1);
});

test("an error of the gateway's inside the tunnel is no page", async () => {
  const { gateway, ca } = await openTrusted();
  const handler = vi.fn<() => void>();
  const { failures } = await crawlInOne(
    ['https://127.0.0.1:9/1'],
    gateway,
    { ca },
    {
      requestHandler: handler,
      maxRequestRetries: 0,
    },
  );
  expect(failures).toEqual([expect.stringMatching(/The gateway answered 50\d econnrefused for https:/)]);
  expect(handler).not.toHaveBeenCalled();
});
