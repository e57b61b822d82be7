// Sessions that turn out to be lost while their next start is booked ahead, under `onSessionLost: 'recreate'`: those of
// HTTP crawlers go on with another one, those of browsers are retired, for their tunnels run under the old one still.

import { Configuration, SessionPool } from 'crawlee';
import type { SessionPoolOptions } from 'crawlee';
import { expect, onTestFinished, test, vi } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { coreOf } from '../../src/crawlee/core.js';
import type { SessionProxyConfiguration } from '../../src/index.js';
import { crawlWith, sessionOf } from './browser-crawl.js';
import type { BrowserContext } from './browser-crawl.js';
import { configure, createCrawler, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

async function forget(gateway: { readonly proxyUrl: string }): Promise<void> {
  const client = new SessionsClient(gateway.proxyUrl);
  await Promise.all((await listSessions(gateway)).map((id) => client.deletePlain(id)));
}

/** A pool as a crawler with the preset opens it. */
async function openPool({ sessionPoolOptions }: { readonly sessionPoolOptions?: SessionPoolOptions }) {
  const pool = await SessionPool.open(sessionPoolOptions, new Configuration({ persistStorage: false }));
  onTestFinished(() => pool.teardown());
  return pool;
}

for (const [name, preset, goesOn] of [
  ['of an HTTP crawler goes on', (own: SessionProxyConfiguration) => own.httpCrawlerOptions({}), true],
  ['of a browser crawler is retired', (own: SessionProxyConfiguration) => own.browserCrawlerOptions({}), false],
] as const) {
  test(`a session ${name}`, async () => {
    const gateway = await openGateway({ delays: { default: '1s' } });
    const configuration = configure(gateway.proxyUrl, { onSessionLost: 'recreate' });
    const session = await (await openPool(preset(configuration))).getSession();
    const { bindings, slots } = coreOf(configuration);
    const { id } = await bindings.bind(session.id);
    await forget(gateway);
    slots?.plan(session.id, id, '127.0.0.1');
    await vi.waitFor(() => expect(bindings.find(session.id)).toBeUndefined());
    expect(session.isUsable()).toBe(goesOn);
    expect(bindings.keeps(session.id)).toBe(goesOn);
  });
}

test('a crawl over http and https whose sessions are lost goes on in new ones, and no page in a wrong one', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(4), delays: { default: '30ms' } });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl, { onSessionLost: 'recreate' });
  const crawleeIds = new Set<string | undefined>();
  let pages = 0;
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      minConcurrency: 4,
      maxConcurrency: 4,
      async requestHandler({ session }) {
        crawleeIds.add(session?.id);
        pages += 1;
        if (pages % 10 === 0) await forget(gateway);
      },
    }),
  );
  const { requestsFinished, requestsFailed } = await crawler.run(mixedUrls(target, 40));
  await configuration.close();
  expect({ requestsFinished, requestsFailed }).toEqual({ requestsFinished: 40, requestsFailed: 0 });
  expect(crawleeIds.size).toBe(4);
  expect(configuration.mismatches).toBe(0);
  expect(await listSessions(gateway)).toEqual([]);
});

test.each(['page', 'browser'] as const)(
  'isolation %s: a crawl whose sessions are lost goes on in other Crawlee sessions, and no page in a wrong one',
  async (isolation) => {
    const gateway = await openGateway({ upstreams: localUpstreams(2), delays: { default: '50ms' } });
    const target = await openTarget();
    const configuration = configure(gateway.proxyUrl, { onSessionLost: 'recreate' });
    const bound: (readonly [string, string | undefined])[] = [];
    const options = configuration.browserCrawlerOptions(
      {
        maxConcurrency: 2,
        maxRequestRetries: 1,
        async requestHandler(context: BrowserContext) {
          const session = sessionOf(context);
          bound.push([session.id, configuration.proxySession(session)?.id]);
          if (bound.length === 3) await forget(gateway);
        },
      },
      { isolation },
    );
    const urls = mixedUrls(target, 8);
    expect(await crawlWith('Playwright', urls, options)).toEqual({ finished: 8, failed: 0 });
    await configuration.close();
    const pairs = new Set(bound.map((pair) => pair.join(' ')));
    // Each Crawlee session has kept to one gateway session.
    expect(pairs.size).toBe(new Set(bound.map(([crawleeId]) => crawleeId)).size);
    expect(configuration.mismatches).toBe(0);
  },
);
