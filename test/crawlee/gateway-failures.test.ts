// Failures that are no lost session: the target's own, the gateway's want of room, a proxy of somebody else's.

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
  '%s: a gateway that is too busy costs retries, not the session',
  async (scheme) => {
    const gateway = await openGateway({ upstreams: localUpstreams(1), delays: { default: '300ms', maxHold: '400ms' } });
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl);
    const messages: string[] = [];
    const scores: (number | undefined)[] = [];
    const crawler = createCrawler(
      configuration.httpCrawlerOptions({
        maxRequestRetries: 1,
        minConcurrency: 8,
        maxConcurrency: 8,
        requestHandler() {},
        failedRequestHandler({ session }, error) {
          messages.push(error.message);
          scores.push(session?.errorScore);
        },
      }),
    );
    await crawler.run(Array.from({ length: 8 }, (_, index) => `${target[scheme]}/${index}`));
    expect(messages.length).toBeGreaterThan(0);
    expect(
      messages.every((message) => /^The gateway (answered 503 serverbusy|opened no tunnel) for /.test(message)),
    ).toBe(true);
    expect(new Set(scores)).toEqual(new Set([0]));
    expect(crawler.sessionPool?.getState().sessions.map(({ errorScore }) => errorScore)).toEqual([0]);
    expect(await listSessions(gateway)).toHaveLength(1);
  },
);

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
