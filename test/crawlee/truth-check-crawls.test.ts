// That crawls of HTTP crawlers with the preset have no mismatch, whatever happens in them, and that crawls that go past
// their sessions are found out, page by page.

import { Session, SessionPool } from 'crawlee';
import type { CheerioCrawlerOptions } from 'crawlee';
import { GotScrapingHttpClient } from '@crawlee/core';
import type { BaseHttpClient } from '@crawlee/core';
import { expect, test } from 'vitest';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { configure, createCrawler, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';
import type { AnswerPath } from './crawl-target.js';

/** Crawls, closes the configuration and gives what the check has found. */
async function crawl(
  configuration: SessionProxyConfiguration,
  urls: readonly string[],
  options: CheerioCrawlerOptions = {},
): Promise<{ readonly mismatches: number; readonly finished: number; readonly failed: number }> {
  const crawler = createCrawler(configuration.httpCrawlerOptions({ requestHandler: () => undefined, ...options }));
  const { requestsFinished: finished, requestsFailed: failed } = await crawler.run([...urls]);
  await configuration.close();
  return { mismatches: configuration.mismatches, finished, failed };
}

test.each(['client', 'gateway'] as const)(
  '120 pages over http and https, 8 sessions: none (pacing %s)',
  async (pacing) => {
    const gateway = await openGateway({ upstreams: localUpstreams(8) });
    const target = await openTarget();
    const found = await crawl(configure(gateway.proxyUrl, { pacing }), mixedUrls(target, 120), {
      minConcurrency: 8,
      maxConcurrency: 16,
    });
    expect(found).toEqual({ mismatches: 0, finished: 120, failed: 0 });
  },
);

test('over HTTP/2, one tunnel after another: none', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const urls = Array.from({ length: 30 }, (_, index) => `${target.http2}/${index}`);
  expect(await crawl(configure(gateway.proxyUrl), urls)).toEqual({ mismatches: 0, finished: 30, failed: 0 });
});

test('redirects from http to https and to other hosts: none', async () => {
  const gateway = await openGateway();
  const last = await openTarget();
  const redirectTo =
    (base: string): AnswerPath =>
    (path, response) => {
      response.writeHead(302, { location: `${base}${path}` }).end();
      return true;
    };
  const second = await openTarget(redirectTo(last.https));
  const first = await openTarget(redirectTo(second.https));
  const found = await crawl(configure(gateway.proxyUrl), mixedUrls(first, 20));
  expect(found).toEqual({ mismatches: 0, finished: 20, failed: 0 });
  expect(last.visits).toHaveLength(20);
});

test('pages that are loaded again, in the session or in another: none', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(4) });
  const target = await openTarget();
  const found = await crawl(configure(gateway.proxyUrl), mixedUrls(target, 40), {
    maxRequestRetries: 3,
    // Sessions are replaced as they are worn, too.
    sessionPoolOptions: { sessionOptions: { maxUsageCount: 5 } },
    requestHandler({ request }) {
      if (request.retryCount >= 2) return;
      throw new Error('Once more');
    },
  });
  expect(found).toEqual({ mismatches: 0, finished: 40, failed: 0 });
});

test("the gateway's intercepting changes nothing: none", async () => {
  const gateway = await openGateway({ intercept: 'always', targets: { allowPrivate: true, insecure: ['*'] } });
  const target = await openTarget();
  const found = await crawl(configure(gateway.proxyUrl), mixedUrls(target, 20));
  expect(found).toEqual({ mismatches: 0, finished: 20, failed: 0 });
});

test('a hook that swaps the session of the page: all', async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const another = new Session({ sessionPool: new SessionPool() });
  await configuration.newUrl(another.id);
  const found = await crawl(configuration, mixedUrls(target, 30), {
    preNavigationHooks: [
      (context) => {
        Object.assign(context, { session: another });
      },
    ],
  });
  expect(found).toEqual({ mismatches: 30, finished: 30, failed: 0 });
});

/** A client that leaves the proxy out, for one page in two of each scheme. */
function leavingOutTheProxy(): BaseHttpClient {
  const inner = new GotScrapingHttpClient();
  return {
    sendRequest: (request) => inner.sendRequest(request),
    stream: ({ proxyUrl, ...request }, onRedirect) =>
      inner.stream(/[02468]$/.test(String(request.url)) ? { proxyUrl, ...request } : request, onRedirect),
  };
}

test.each(['http', 'https'] as const)(
  'a client that leaves the proxy out now and then: these, over %s',
  async (scheme) => {
    const gateway = await openGateway();
    const [even, odd] = [await openTarget(), await openTarget()];
    const urls = Array.from({ length: 20 }, (_, index) => `${(index % 2 === 0 ? even : odd)[scheme]}/${index}`);
    const found = await crawl(configure(gateway.proxyUrl), urls, { httpClient: leavingOutTheProxy() });
    expect(found).toEqual({ mismatches: 10, finished: 20, failed: 0 });
    expect(odd.visits.map(({ fromIp }) => fromIp)).toEqual(Array.from({ length: 10 }, () => '127.0.0.1'));
  },
);

test("with onMismatch 'throw' such pages fail, and their sessions are retired", async () => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { onMismatch: 'throw' });
  const sessions: unknown[] = [];
  const codes: unknown[] = [];
  const found = await crawl(configuration, [`${target.https}/1`], {
    httpClient: leavingOutTheProxy(),
    maxSessionRotations: 2,
    preNavigationHooks: [({ session }) => void sessions.push(session?.id)],
    failedRequestHandler: (_, error) => void codes.push('code' in error ? error.code : error),
  });
  expect(found).toEqual({ mismatches: 3, finished: 0, failed: 1 });
  expect(codes).toEqual(['session_mismatch']);
  // Each was retired, so that the next attempt had another.
  expect(new Set(sessions).size).toBe(3);
});
