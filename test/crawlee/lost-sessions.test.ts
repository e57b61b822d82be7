// That a session the gateway has lost is noticed over http and https, whatever got-scraping has in its caches, and that
// the request goes on in another session.

import type { CheerioCrawler } from 'crawlee';
import { expect, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { ProxySessionError } from '../../src/index.js';
import type { SessionProxyConfiguration } from '../../src/index.js';
import { configure, createCrawler, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

/** What a crawl of two pages came to, the gateway having forgotten the session between them or before the first. */
interface Outcome {
  readonly finished: number;
  readonly failed: number;
  readonly errors: readonly Error[];
  /** Crawlee session and gateway session of each page that was handled. */
  readonly pages: readonly (readonly [string, string | undefined])[];
  readonly crawler: CheerioCrawler;
}

async function forget(gateway: { readonly proxyUrl: string }): Promise<void> {
  const client = new SessionsClient(gateway.proxyUrl);
  await Promise.all((await listSessions(gateway)).map((id) => client.deletePlain(id)));
}

async function crawl(
  configuration: SessionProxyConfiguration,
  urls: readonly string[],
  hooks: { readonly beforePage: (page: number) => Promise<void>; readonly maxSessionRotations?: number },
): Promise<Outcome> {
  const errors: Error[] = [];
  const pages: [string, string | undefined][] = [];
  let started = 0;
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      maxSessionRotations: hooks.maxSessionRotations ?? 10,
      sessionPoolOptions: { maxPoolSize: 1 },
      preNavigationHooks: [
        async () => {
          started += 1;
          await hooks.beforePage(started);
        },
      ],
      requestHandler({ session }) {
        if (session !== undefined) pages.push([session.id, configuration.proxySession(session)?.id]);
      },
      errorHandler(_context, error) {
        errors.push(error);
      },
    }),
  );
  const { requestsFinished: finished, requestsFailed: failed } = await crawler.run([...urls]);
  return { finished, failed, errors, pages, crawler };
}

test.each([
  ['http', 'the first request of the session', 1],
  ['http', 'a later request', 2],
  ['https', 'the first request of the session (no ALPN known)', 1],
  ['https', 'a later request (ALPN known)', 2],
  ['http2', 'the first request of the session (no ALPN known)', 1],
  ['http2', 'a later request (ALPN known)', 2],
] as const)('%s: the gateway forgets before %s', async (scheme, _when, page) => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const urls = [`${target[scheme]}/1`, `${target[scheme]}/2`];
  const outcome = await crawl(configuration, urls, {
    beforePage: async (started) => {
      if (started === page) await forget(gateway);
    },
  });
  expect(outcome).toMatchObject({ finished: 2, failed: 0 });
  expect(outcome.errors).toHaveLength(1);
  expect(outcome.errors[0]).toBeInstanceOf(ProxySessionError);
  expect(outcome.errors[0]).toMatchObject({ name: 'ProxySessionError', code: 'bad_session_id' });
  expect(new Set(outcome.pages.map(([crawleeId]) => crawleeId)).size).toBe(page);
  expect(new Set(outcome.pages.map(([, id]) => id)).size).toBe(page);
  expect(outcome.crawler.sessionPool?.retiredSessionsCount).toBe(0);
  expect(await listSessions(gateway)).toEqual([outcome.pages.at(-1)?.[1]]);
});

test.each(['http', 'https'] as const)(
  '%s: parallel requests in a lost session all go on in another',
  async (scheme) => {
    const gateway = await openGateway();
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl);
    const sessions = new Set<string>();
    const lost: string[] = [];
    const crawler = createCrawler(
      configuration.httpCrawlerOptions({
        minConcurrency: 8,
        maxConcurrency: 8,
        sessionPoolOptions: { maxPoolSize: 1 },
        async requestHandler({ session, request, addRequests }) {
          if (session === undefined) return;
          if (!request.url.endsWith('/warm-up')) {
            sessions.add(session.id);
            return;
          }
          lost.push(session.id);
          await forget(gateway);
          await addRequests(Array.from({ length: 8 }, (_, index) => `${target[scheme]}/${index}`));
        },
      }),
    );
    const { requestsFinished, requestsFailed } = await crawler.run([`${target[scheme]}/warm-up`]);
    expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 9, requestsFailed: 0 });
    expect(sessions.size).toBe(1);
    expect(lost).not.toEqual([...sessions]);
  },
);

test('a gateway that forgets all its sessions in the middle of a run fails no request', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(10) });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  let pages = 0;
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 20,
      maxConcurrency: 20,
      async requestHandler() {
        pages += 1;
        if (pages === 60) await forget(gateway);
      },
    }),
  );
  const { requestsFinished, requestsFailed } = await crawler.run(mixedUrls(target, 200));
  expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 200, requestsFailed: 0 });
  await configuration.close();
  expect(await listSessions(gateway)).toEqual([]);
});

test('a lost session costs none of maxRequestRetries, but maxSessionRotations ends it', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const outcome = await crawl(configuration, [`${target.https}/1`], {
    beforePage: () => forget(gateway),
    maxSessionRotations: 3,
  });
  expect(outcome).toMatchObject({ finished: 0, failed: 1 });
  expect(outcome.errors).toHaveLength(3);
  expect(target.visits).toEqual([]);
});

test.each(['http', 'https'] as const)('%s: a handler that finds its session lost finds it retired', async (scheme) => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const found: unknown[] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      async requestHandler({ sendRequest, session }) {
        await forget(gateway);
        await sendRequest({ url: `${target[scheme]}/extra` }).catch((error: unknown) => found.push(error));
        found.push(session?.isUsable());
      },
    }),
  );
  await crawler.run([`${target[scheme]}/1`]);
  expect(found).toEqual([expect.any(ProxySessionError), false]);
});
