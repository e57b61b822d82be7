// What a browser crawler makes of the gateway's own answers: as pages over http, as tunnels that fail without a word
// over https.

import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';

import { CriticalError, RetryRequestError, SessionError } from 'crawlee';
import { describe, expect, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { ProxySessionError } from '../../src/index.js';
import type { SessionProxyConfiguration } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { crawlWith, sessionOf } from './browser-crawl.js';
import type { BrowserContext, Library } from './browser-crawl.js';
import { configure, listSessions, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

/** What handlers were given. */
interface Crawled {
  /** Paths of the pages that were handled, and the session of each. */
  readonly pages: { readonly path: string; readonly sessionId: string }[];
  readonly errors: Error[];
  /** Error scores of the sessions of failed requests, after Crawlee has dealt with the error. */
  readonly scores: number[];
  /** What `run()` was rejected with. */
  rejection: unknown;
}

interface CrawlOptions {
  readonly library?: Library;
  readonly maxConcurrency?: number;
  readonly maxRequestRetries?: number;
  /** Called when the first page was handled. */
  readonly afterFirst?: () => Promise<void>;
  /** Called before each page is loaded. */
  readonly beforeEach?: () => Promise<void>;
}

async function crawl(
  configuration: SessionProxyConfiguration,
  urls: readonly string[],
  { library = 'Playwright', maxConcurrency = 1, maxRequestRetries = 0, afterFirst, beforeEach }: CrawlOptions = {},
): Promise<Crawled> {
  const crawled: Crawled = { pages: [], errors: [], scores: [], rejection: undefined };
  const sessions: BrowserContext['session'][] = [];
  const note = (context: BrowserContext, error: Error): void => {
    crawled.errors.push(error);
    sessions.push(context.session);
  };
  const options = configuration.browserCrawlerOptions({
    minConcurrency: maxConcurrency,
    maxConcurrency,
    preNavigationHooks: [async () => beforeEach?.()],
    maxRequestRetries,
    sessionPoolOptions: { maxPoolSize: 1 },
    async requestHandler(context: BrowserContext) {
      crawled.pages.push({ path: new URL(context.request.url).pathname, sessionId: sessionOf(context).id });
      if (crawled.pages.length === 1) await afterFirst?.();
    },
    errorHandler: note,
    failedRequestHandler: note,
  });
  await crawlWith(library, urls, options).catch((error: unknown) => {
    crawled.rejection = error;
  });
  crawled.scores.push(...sessions.map((session) => session?.errorScore ?? Number.NaN));
  return crawled;
}

describe.each([
  ['http', 'Playwright'],
  ['https', 'Playwright'],
  ['http', 'Puppeteer'],
  ['https', 'Puppeteer'],
] as const)('over %s, with %s', (scheme, library) => {
  test('a page whose session the gateway lost is loaded in another one, and its error page reaches no handler', async () => {
    const gateway = await openGateway();
    const target = await openTarget();
    const afterFirst = async (): Promise<void> => {
      const client = new SessionsClient(gateway.proxyUrl);
      await Promise.all((await listSessions(gateway)).map((id) => client.deletePlain(id)));
    };
    const urls = ['/first', '/second', '/third'].map((path) => target[scheme] + path);
    const { pages, errors, rejection } = await crawl(configure(gateway.proxyUrl), urls, { library, afterFirst });
    expect(rejection).toBeUndefined();
    expect(pages.map(({ path }) => path).toSorted()).toEqual(['/first', '/second', '/third']);
    expect(errors).toEqual([expect.any(ProxySessionError)]);
    expect(errors[0]).toMatchObject({ code: 'bad_session_id' });
    expect(new Set(pages.map(({ sessionId }) => sessionId)).size).toBe(2);
  });
});

describe.each(['http', 'https'] as const)('over %s', (scheme) => {
  test('a key that the gateway no longer knows ends the run, and says so', async () => {
    const gateway = await openGateway();
    const target = await openTarget();
    const port = Number(new URL(gateway.url).port);
    const afterFirst = async (): Promise<void> => {
      await gateway.close();
      await openGateway({ port, apiKeys: ['another-key-0000'] });
    };
    const urls = ['/first', '/second'].map((path) => target[scheme] + path);
    const { pages, rejection } = await crawl(configure(gateway.proxyUrl), urls, { afterFirst });
    expect(pages.map(({ path }) => path)).toEqual(['/first']);
    expect(rejection).toBeInstanceOf(CriticalError);
    expect(String(rejection)).toContain('refused the API key');
  });

  test('a gateway that restarts without its state costs no request', async () => {
    const gateway = await openGateway();
    const target = await openTarget();
    const port = Number(new URL(gateway.url).port);
    const { username: apiKey } = new URL(gateway.proxyUrl);
    let reopened: Promise<unknown> | undefined;
    const afterFirst = async (): Promise<void> => {
      await gateway.close();
      // Back when the next page has found nobody.
      reopened = setTimeout(1_500).then(() => openGateway({ port, apiKeys: [apiKey] }));
    };
    const urls = ['/first', '/second'].map((path) => target[scheme] + path);
    const { pages, rejection } = await crawl(configure(gateway.proxyUrl), urls, { afterFirst });
    await reopened;
    expect(rejection).toBeUndefined();
    expect(pages.map(({ path }) => path)).toEqual(['/first', '/second']);
  });

  test('a target that is down is an ordinary failure: it costs a retry, and the session lives on', async () => {
    const gateway = await openGateway();
    const target = await openTarget();
    const down = `${scheme}://127.0.0.1:${await closedPort()}/down`;
    const { pages, errors, rejection } = await crawl(configure(gateway.proxyUrl), [down, `${target.http}/up`], {
      maxRequestRetries: 1,
    });
    expect(rejection).toBeUndefined();
    expect(pages.map(({ path }) => path)).toEqual(['/up']);
    expect(errors).toHaveLength(2);
    for (const error of errors) {
      expect(error).not.toBeInstanceOf(SessionError);
      expect(error.message).toContain(scheme === 'http' ? 'The gateway answered 5' : 'The gateway opened no tunnel');
      expect(error.message).toContain(down);
    }
    expect(await listSessions(gateway)).toHaveLength(1);
  });

  test('requests past what the gateway holds come again later, and count neither as retries nor against the session', async () => {
    const gateway = await openGateway({
      upstreams: ['local://127.0.0.2'],
      delays: { default: '700ms', maxHold: '100ms', refusedRaise: false },
    });
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl, { pacing: 'gateway' });
    const urls = ['/first', '/second', '/third'].map((path) => target[scheme] + path);
    const { pages, errors, scores, rejection } = await crawl(configuration, urls, {
      maxConcurrency: urls.length,
      // However long the pages take to open, they ask at once.
      beforeEach: gather(urls.length),
    });
    expect(rejection).toBeUndefined();
    expect(pages.map(({ path }) => path).toSorted()).toEqual(['/first', '/second', '/third']);
    expect(new Set(pages.map(({ sessionId }) => sessionId)).size).toBe(1);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).toBeInstanceOf(RetryRequestError);
    expect(new Set(scores)).toEqual(new Set([0]));
  });
});

/** Makes callers wait until as many have come; whoever comes later goes on at once. */
function gather(count: number): () => Promise<void> {
  const [all, letGo] = deferred();
  let come = 0;
  return () => {
    come += 1;
    if (come === count) letGo();
    return all;
  };
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
