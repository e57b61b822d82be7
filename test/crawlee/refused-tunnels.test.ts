// Tunnels that the gateway refuses, of which clients are shown a status at most: each refusal means the same as over http.

import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

import { RetryRequestError, SessionError } from 'crawlee';
import { describe, expect, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { ProxySessionError } from '../../src/index.js';
import type { SessionProxyConfiguration } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { crawlWith } from './browser-crawl.js';
import { configure, createCrawler, listSessions, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

/** What came of a crawl. */
interface Crawled {
  /** Paths of the pages that were had, and their Crawlee sessions. */
  readonly pages: { readonly path: string; readonly sessionId: string | undefined }[];
  /** What was told of each attempt that failed, the last ones included. */
  readonly errors: Error[];
  /** Error scores of the sessions of those, when the crawl was over. */
  readonly scores: readonly number[];
}

interface CrawlOptions {
  readonly maxRequestRetries?: number;
  readonly afterFirst?: () => Promise<void>;
  readonly onError?: () => Promise<void>;
}

interface Context {
  readonly request: { readonly url: string };
  readonly session?: { readonly id: string; readonly errorScore: number } | undefined;
}

const CLIENTS = ['Cheerio', 'Playwright'] as const;

async function crawl(
  client: (typeof CLIENTS)[number],
  configuration: SessionProxyConfiguration,
  urls: readonly string[],
  { maxRequestRetries = 0, afterFirst, onError }: CrawlOptions = {},
): Promise<Crawled> {
  const pages: Crawled['pages'][number][] = [];
  const errors: Error[] = [];
  const sessions: Context['session'][] = [];
  const note = async ({ session }: Context, error: Error): Promise<void> => {
    errors.push(error);
    sessions.push(session);
    await onError?.();
  };
  const options = {
    maxConcurrency: 1,
    maxRequestRetries,
    sessionPoolOptions: { maxPoolSize: 1 },
    async requestHandler({ request, session }: Context) {
      pages.push({ path: new URL(request.url).pathname, sessionId: session?.id });
      if (pages.length === 1) await afterFirst?.();
    },
    errorHandler: note,
    failedRequestHandler: note,
  };
  if (client === 'Cheerio') await createCrawler(configuration.httpCrawlerOptions(options)).run([...urls]);
  else await crawlWith('Playwright', urls, configuration.browserCrawlerOptions(options));
  return { pages, errors, scores: sessions.map((session) => session?.errorScore ?? Number.NaN) };
}

describe.each(CLIENTS)('%s', (client) => {
  test('one request too many for the API key costs time, and neither a page nor the session', async () => {
    const gateway = await openGateway({ maxConnections: 1 });
    const [isThere, come] = deferred();
    let held: ServerResponse | undefined;
    const target = await openTarget((path, response) => {
      if (path !== '/busy') return false;
      held = response;
      come();
      return true;
    });
    const another = getThrough(gateway.proxyUrl, `${target.http}/busy`);
    await isThere;
    const { pages, errors, scores } = await crawl(client, configure(gateway.proxyUrl), [`${target.https}/1`], {
      async onError() {
        held?.end();
        await another;
      },
    });
    expect(pages.map(({ path }) => path)).toEqual(['/1']);
    expect(errors).toEqual([expect.any(RetryRequestError)]);
    expect(errors[0]).not.toBeInstanceOf(SessionError);
    expect(errors[0]?.message).toContain('too_many_conns, too many requests are running');
    expect(scores).toEqual([0]);
  });

  test('a target that is not allowed fails at once, and the session goes on', async () => {
    const gateway = await openGateway({ targets: { allowPrivate: true, deny: ['localhost'] } });
    const target = await openTarget();
    const urls = [`${target.https}/1`, target.https.replace('127.0.0.1', 'localhost'), `${target.https}/2`];
    const { pages, errors, scores } = await crawl(client, configure(gateway.proxyUrl), urls, { maxRequestRetries: 3 });
    expect(pages.map(({ path }) => path)).toEqual(['/1', '/2']);
    expect(new Set(pages.map(({ sessionId }) => sessionId)).size).toBe(1);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toContain('domain_forbidden, the gateway does not allow this target');
    expect(scores).toEqual([0]);
  });

  test.each([
    ['a name that there is not', 'nxdomain', 'nowhere.invalid'],
    ['a port that is closed', 'econnrefused', '127.0.0.1'],
  ])('%s costs retries, and is not the fault of the session', async (_name, code, host) => {
    const gateway = await openGateway();
    const url = `https://${host}:${await closedPort()}/`;
    const { errors, scores } = await crawl(client, configure(gateway.proxyUrl), [url], { maxRequestRetries: 1 });
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringContaining(`The gateway opened no tunnel for ${url}: ${code}, `),
      expect.stringContaining(code),
    ]);
    for (const error of errors) expect(error).not.toBeInstanceOf(RetryRequestError);
    expect(new Set(scores)).toEqual(new Set([0]));
    expect(await listSessions(gateway)).toHaveLength(1);
  });

  test('a ban that another crawler has told of ends the session, and the page is had by another', async () => {
    const gateway = await openGateway({ upstreams: localUpstreams(2) });
    const target = await openTarget();
    const afterFirst = async (): Promise<void> => {
      const [id = ''] = await listSessions(gateway);
      await new SessionsClient(gateway.proxyUrl).reportVerdict(id, { host: '127.0.0.1', verdict: 'banned' });
    };
    const urls = [`${target.https}/1`, `${target.https}/2`];
    const { pages, errors } = await crawl(client, configure(gateway.proxyUrl), urls, { afterFirst });
    expect(pages.map(({ path }) => path)).toEqual(['/1', '/2']);
    expect(new Set(pages.map(({ sessionId }) => sessionId)).size).toBe(2);
    expect(errors).toEqual([expect.any(ProxySessionError)]);
    expect(errors[0]).toMatchObject({ code: 'banned' });
    expect(new Set(target.visits.map(({ fromIp }) => fromIp)).size).toBe(2);
  });
});

/** Another client of the same API key, outside of any session. */
async function getThrough(proxyUrl: string, url: string): Promise<void> {
  const { hostname, port, username } = new URL(proxyUrl);
  const headers = { 'proxy-authorization': `Basic ${Buffer.from(`${username}:`).toString('base64')}` };
  const [response] = (await once(get({ hostname, port, path: url, headers }), 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
