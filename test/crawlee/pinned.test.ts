// That a request that names a Crawlee session goes in that session, and says so where it is gone.

import { MemoryStorage } from '@crawlee/memory-storage';
import { CheerioCrawler, Configuration } from 'crawlee';
import { expect, test } from 'vitest';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { crawlWith } from './browser-crawl.js';
import { configure, createCrawler, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

test.each([
  ['gateway', 0],
  ['client', '20ms'],
] as const)('pacing %s: requests that name a session go in it', async (pacing, delay) => {
  const gateway = await openGateway({ upstreams: localUpstreams(4), delays: { default: delay } });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { pacing });
  const wrong: string[] = [];
  let pinnedPages = 0;
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 4,
      maxConcurrency: 4,
      async requestHandler({ session, request, addRequests }) {
        const { sessionId }: { readonly sessionId?: unknown } = request.userData;
        if (sessionId !== undefined) pinnedPages += 1;
        if (sessionId !== undefined && sessionId !== session?.id) wrong.push(request.url);
        if (sessionId !== undefined || session === undefined) return;
        const name = request.url.split('/').at(-1);
        await addRequests(
          [1, 2, 3, 4].map((page) => ({
            url: `${target.http}/of-${name}-${page}`,
            userData: { sessionId: session.id },
          })),
        );
      },
    }),
  );
  const { requestsFinished } = await crawler.run([1, 2, 3, 4, 5].map((name) => `${target.http}/${name}`));
  expect(requestsFinished).toBe(25);
  expect(pinnedPages).toBe(20);
  expect(wrong).toEqual([]);
  // What went in one Crawlee session left by one outgoing IP.
  for (const name of [1, 2, 3, 4, 5]) {
    const ips = target.visits.filter(({ path }) => path === `/${name}` || path.startsWith(`/of-${name}-`));
    expect(new Set(ips.map(({ fromIp }) => fromIp)).size).toBe(1);
  }
});

test.each([
  ['gateway', 0],
  ['client', '20ms'],
] as const)(
  'pacing %s: a request that names a session which is gone fails with a word to it',
  async (pacing, delay) => {
    const gateway = await openGateway({ upstreams: localUpstreams(2), delays: { default: delay } });
    const target = await openTarget();
    const failures: string[] = [];
    const crawler = createCrawler(
      configure(gateway.proxyUrl, { pacing }).httpCrawlerOptions({
        maxRequestRetries: 2,
        requestHandler() {},
        failedRequestHandler: (_context, error) => void failures.push(error.message),
      }),
    );
    await crawler.run([{ url: `${target.http}/1`, userData: { sessionId: 'session_gone' } }]);
    expect(failures).toEqual([expect.stringContaining('session_gone')]);
    expect(target.visits).toEqual([]);
  },
);

test('requests that a run begins with are put right before their first page', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(20) });
  const target = await openTarget();
  const config = new Configuration({
    storageClient: new MemoryStorage({ persistStorage: false }),
    purgeOnStart: false,
  });
  const crawl = async (requests: readonly { url: string; userData?: { sessionId: string } }[]) => {
    const configuration = configure(gateway.proxyUrl);
    const sessions = new Set<string>();
    const errors: string[] = [];
    const crawler = new CheerioCrawler(
      configuration.httpCrawlerOptions({
        maxConcurrency: 1,
        requestHandler: ({ session }) => void sessions.add(session?.id ?? ''),
        errorHandler: (_context, error) => void errors.push(error.message),
      }),
      config,
    );
    await crawler.run([...requests]);
    await configuration.close({ keepSessions: true });
    return { sessions: [...sessions], errors };
  };
  const [sessionId = ''] = (await crawl(Array.from({ length: 20 }, (_, page) => ({ url: `${target.http}/${page}` }))))
    .sessions;
  const pinned = Array.from({ length: 4 }, (_, page) => ({
    url: `${target.http}/pinned-${page}`,
    userData: { sessionId },
  }));
  const { sessions, errors } = await crawl(pinned);
  expect(sessions).toEqual([sessionId]);
  // The first one of all goes where chance puts it, unless that is right.
  expect(errors.length).toBeLessThanOrEqual(1);
});

test.each([
  [
    'an HTTP crawler',
    (own: SessionProxyConfiguration, options: object, requests: never) =>
      createCrawler(own.httpCrawlerOptions({ requestHandler() {}, ...options })).run(requests),
  ],
  [
    'a browser crawler',
    (own: SessionProxyConfiguration, options: object, requests: never) =>
      crawlWith('Playwright', requests, own.browserCrawlerOptions({ requestHandler() {}, ...options })),
  ],
] as const)('transport headers: %s refuses a request for a session that is gone, too', async (_name, crawl) => {
  const gateway = await openGateway();
  const target = await openTarget();
  const failures: string[] = [];
  const configuration = configure(gateway.proxyUrl, { transport: 'headers' });
  const request = { url: `${target.http}/1`, userData: { sessionId: 'session_gone' } };
  const options = { failedRequestHandler: (_context: unknown, error: Error) => void failures.push(error.message) };
  await crawl(configuration, options, [request] as never);
  expect(failures).toEqual([expect.stringContaining('session_gone')]);
  expect(target.visits).toEqual([]);
});
