// That what Crawlee decides about a session at a site reaches the gateway, and what the gateway says of bans the crawler.

import { BasicCrawler, Configuration, SessionError } from 'crawlee';
import type { BasicCrawlerOptions, CheerioCrawlingContext } from 'crawlee';
import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient, SessionsClientError } from '../../src/client/index.js';
import type { Gateway } from '../../src/gateway/index.js';
import { ProxySessionError } from '../../src/index.js';
import { configure, createCrawler, localUpstreams, openGateway } from './crawl.js';
import type { CrawlTarget } from './crawl-target.js';
import { openTarget } from './crawl-target.js';

/** A target that blocks the path `/blocked` for one outgoing IP only. */
function openBlockingTarget(): Promise<CrawlTarget> {
  return openTarget((path, response) => {
    const isFirst = response.socket?.remoteAddress?.endsWith('127.0.0.2') === true;
    if (path !== '/blocked' || !isFirst) return false;
    response.writeHead(403, { 'content-type': 'text/html' }).end('<p>no');
    return true;
  });
}

/** The outgoing IPs that the gateway keeps from a host. */
async function bannedIps({ proxyUrl }: Pick<Gateway, 'proxyUrl'>, ips: number, host: string): Promise<string[]> {
  const client = new SessionsClient(proxyUrl);
  const banned: string[] = [];
  for (let last = 2; last < ips + 2; last += 1) {
    const { id } = await client.create({ pin: `127.0.0.${last}`, pacing: 'client' });
    const slot = await client.bookSlot(id, host).catch((error: unknown) => {
      if (error instanceof SessionsClientError && error.code === 'banned') return undefined;
      throw error;
    });
    if (slot === undefined) banned.push(`127.0.0.${last}`);
    await client.delete(id);
  }
  return banned;
}

test.each(['http', 'https'] as const)(
  '%s: a blocked page bans its outgoing IP at that host, and the page is had by another',
  async (scheme) => {
    const gateway = await openGateway({ upstreams: localUpstreams(3) });
    const target = await openBlockingTarget();
    const crawler = createCrawler(
      configure(gateway.proxyUrl).httpCrawlerOptions({ maxRequestRetries: 5, requestHandler() {} }),
    );
    const { requestsFinished } = await crawler.run([`${target[scheme]}/blocked`]);
    expect(requestsFinished).toBe(1);
    expect(await bannedIps(gateway, 3, '127.0.0.1')).toEqual(['127.0.0.2']);
    expect(await bannedIps(gateway, 3, 'elsewhere.example')).toEqual([]);
    // Another page later does not come back to the banned IP either.
    await crawler.run([`${target[scheme]}/1`, `${target[scheme]}/2`, `${target[scheme]}/3`]);
    const laterIps = target.visits.filter(({ path }) => path !== '/blocked').map(({ fromIp }) => fromIp);
    expect(laterIps).toHaveLength(3);
    expect(laterIps).not.toContain('127.0.0.2');
  },
);

const ENDINGS: readonly (readonly [string, (context: CheerioCrawlingContext) => void, number])[] = [
  ['session.retire() in a handler', ({ session }) => session?.retire(), 1],
  [
    'a SessionError from a handler',
    ({ request }) => {
      if (request.retryCount === 0) throw new SessionError('a captcha');
    },
    1,
  ],
  [
    'an error score that is full',
    ({ session, request }) => {
      for (let errors = 0; errors < 3 && request.retryCount === 0; errors += 1) session?.markBad();
    },
    0,
  ],
  ['an ordinary page', () => undefined, 0],
];

test.each(ENDINGS)('%s bans $2 outgoing IPs', async (_name, end, banned) => {
  const gateway = await openGateway({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const crawler = createCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({
      maxRequestRetries: 2,
      requestHandler: (context: CheerioCrawlingContext) => end(context),
    }),
  );
  const { requestsFailed } = await crawler.run([`${target.https}/1`]);
  expect(requestsFailed).toBe(0);
  expect(await bannedIps(gateway, 3, '127.0.0.1')).toHaveLength(banned);
});

test('neither uses nor age nor a target that is down nor a lost session bans anything', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2) });
  const target = await openTarget((path, response) => {
    if (!path.startsWith('/reset')) return false;
    response.socket?.destroy();
    return true;
  });
  const client = new SessionsClient(gateway.proxyUrl);
  const crawler = createCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({
      maxRequestRetries: 1,
      sessionPoolOptions: { sessionOptions: { maxUsageCount: 2 } },
      async requestHandler({ request }) {
        if (!request.url.endsWith('/forget')) return;
        for await (const { id } of client.listAll()) await client.delete(id);
      },
    }),
  );
  await crawler.run(
    ['/1', '/2', '/forget', '/3', '/reset', '/4'].flatMap((path) => [
      `${target.http}${path}`,
      `${target.https}${path}`,
    ]),
  );
  expect(await bannedIps(gateway, 2, '127.0.0.1')).toEqual([]);
});

test('a good page is told once per session and host', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2) });
  const target = await openTarget();
  const told: unknown[] = [];
  const configuration = configure(gateway.proxyUrl);
  const fetchBefore = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    if (String(input instanceof Request ? input.url : input).endsWith('/verdicts'))
      told.push(JSON.parse(typeof init?.body === 'string' ? init.body : 'null'));
    return fetchBefore(input, init);
  };
  onTestFinished(() => void (globalThis.fetch = fetchBefore));
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({ sessionPoolOptions: { maxPoolSize: 1 }, requestHandler() {} }),
  );
  await crawler.run(Array.from({ length: 10 }, (_, index) => `${target.http}/${index}`));
  await crawler.run([`${target.http}/1`, `${target.https.replace('127.0.0.1', 'localhost')}/2`]);
  await configuration.close();
  expect(told).toEqual([
    { host: '127.0.0.1', verdict: 'good' },
    { host: '127.0.0.1', verdict: 'good' },
    { host: 'localhost', verdict: 'good' },
  ]);
});

for (const [scheme, pacing] of [
  ['http', 'gateway'],
  ['https', 'gateway'],
  ['http', 'client'],
  ['https', 'client'],
] as const) {
  test(`${scheme}, pacing ${pacing}: a ban that the gateway knows of retires the session before anything is sent`, async () => {
    const gateway = await openGateway({
      upstreams: localUpstreams(3),
      delays: { default: pacing === 'client' ? '10ms' : 0 },
    });
    const target = await openTarget();
    const client = new SessionsClient(gateway.proxyUrl);
    const configuration = configure(gateway.proxyUrl, { pacing });
    const errors: Error[] = [];
    let banned = '';
    const crawler = createCrawler(
      configuration.httpCrawlerOptions({
        maxConcurrency: 1,
        sessionPoolOptions: { maxPoolSize: 1 },
        async requestHandler({ session, request }) {
          if (session === undefined || !request.url.endsWith('/first')) return;
          const bound = configuration.proxySession(session);
          banned = bound?.outgoingIp ?? '';
          // Another crawl of this key has found out.
          await client.reportVerdict(bound?.id ?? '', { host: '127.0.0.1', verdict: 'banned' });
        },
        errorHandler: (_context, error) => void errors.push(error),
      }),
    );
    const { requestsFinished } = await crawler.run([`${target[scheme]}/first`, `${target[scheme]}/second`]);
    expect(requestsFinished).toBe(2);
    // With client pacing it shows when the next start is booked, before any request is put into the session.
    expect(errors.length).toBeLessThanOrEqual(1);
    if (pacing === 'gateway') expect(errors).toHaveLength(1);
    for (const error of errors) {
      expect(error).toBeInstanceOf(ProxySessionError);
      expect(error).toMatchObject({ code: 'banned' });
    }
    expect(target.visits.map(({ path }) => path)).toEqual(['/first', '/second']);
    expect(target.visits[1]?.fromIp).not.toBe(banned);
  });
}

test('where every outgoing IP is banned a page fails soon, and says so', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2) });
  const target = await openTarget((_path, response) => {
    response.writeHead(403, { 'content-type': 'text/html' }).end('<p>no');
    return true;
  });
  const crawler = createCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({
      maxRequestRetries: 3,
      maxSessionRotations: 4,
      requestHandler() {},
    }),
  );
  const { requestsFailed } = await crawler.run([`${target.http}/1`]);
  expect(requestsFailed).toBe(1);
  expect(target.visits.map(({ fromIp }) => fromIp).toSorted()).toEqual(['127.0.0.2', '127.0.0.3']);
});

test('a BasicCrawler’s handler that gives its session up bans the IP where the answer came from', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2) });
  const target = await openTarget();
  const crawler = new BasicCrawler(
    configure(gateway.proxyUrl).basicCrawlerOptions<BasicCrawlerOptions>({
      maxRequestRetries: 0,
      async requestHandler({ sendRequest, session }) {
        await sendRequest({ url: `${target.http}/1` });
        session?.retire();
      },
    }),
    new Configuration({ persistStorage: false }),
  );
  await crawler.run(['https://nowhere.example/']);
  expect(await bannedIps(gateway, 2, '127.0.0.1')).toHaveLength(1);
  expect(await bannedIps(gateway, 2, 'nowhere.example')).toEqual([]);
});

test('with one outgoing IP a blocked page bans nothing, so that the rest of the crawl goes on', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(1) });
  const target = await openBlockingTarget();
  const crawler = createCrawler(
    configure(gateway.proxyUrl).httpCrawlerOptions({ maxConcurrency: 1, requestHandler() {} }),
  );
  const paths = ['/blocked', '/1', '/2', '/3'];
  const { requestsFinished, requestsFailed } = await crawler.run(paths.map((path) => `${target.http}${path}`));
  expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 3, requestsFailed: 1 });
  expect(await bannedIps(gateway, 1, '127.0.0.1')).toEqual([]);
});
