// That mistakes of the beginning stop a run at once and say what they are: a wrong key, no gateway, something else there.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { CheerioCrawlerOptions } from 'crawlee';
import { onTestFinished, expect, test } from 'vitest';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { configure, createCrawler, openGateway, withWrongKey } from './crawl.js';
import { openTarget } from './crawl-target.js';

type Way = (configuration: SessionProxyConfiguration, options: CheerioCrawlerOptions) => CheerioCrawlerOptions;

const PRESET: Way = (configuration, options) => configuration.httpCrawlerOptions(options);
const DROP_IN: Way = (configuration, options) => ({ ...options, proxyConfiguration: configuration });

/** Runs 30 pages with a mistake in the configuration; gives what `run()` rejected with, and how many pages began. */
async function runInto(configuration: SessionProxyConfiguration, way: Way, scheme: 'http' | 'https') {
  const target = await openTarget();
  let failedRequests = 0;
  const crawler = createCrawler(
    way(configuration, {
      maxRequestRetries: 3,
      requestHandler() {
        throw new Error('No page should come this far');
      },
      failedRequestHandler() {
        failedRequests += 1;
      },
    }),
  );
  const urls = Array.from({ length: 30 }, (_, index) => `${target[scheme]}/${index}`);
  const error: unknown = await crawler.run(urls).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { message: error instanceof Error ? error.message : undefined, failedRequests, visits: target.visits };
}

const WAYS = [
  ['preset', 'http', PRESET],
  ['preset', 'https', PRESET],
  ['drop-in', 'http', DROP_IN],
  ['drop-in', 'https', DROP_IN],
] as const;

test.each(WAYS)(
  '%s, %s: a wrong API key makes run() reject with an error that names it',
  async (_name, scheme, way) => {
    const gateway = await openGateway();
    const configuration = configure(withWrongKey(gateway.proxyUrl));
    const { message, failedRequests, visits } = await runInto(configuration, way, scheme);
    expect(message).toContain(`The gateway at ${gateway.url} refused the API key`);
    expect(message).not.toContain('wrong-key-0000');
    expect({ failedRequests, visits }).toEqual({ failedRequests: 0, visits: [] });
  },
);

test("transport 'headers': a wrong API key makes run() reject too", async () => {
  const gateway = await openGateway();
  const configuration = configure(withWrongKey(gateway.proxyUrl), { transport: 'headers' });
  expect((await runInto(configuration, PRESET, 'http')).message).toContain('refused the API key');
});

test.each(WAYS)('%s, %s: no gateway makes run() reject and says how to start one', async (_name, scheme, way) => {
  const configuration = configure('http://some-key-0000:@127.0.0.1:9');
  const { message } = await runInto(configuration, way, scheme);
  expect(message).toContain('No gateway answers at http://127.0.0.1:9');
  expect(message).toContain('session-proxy serve');
  expect(message).not.toContain('some-key-0000');
});

test.each(['http', 'https'] as const)('%s: a key that is refused in the middle of a run stops it', async (scheme) => {
  const gateway = await openGateway();
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      preNavigationHooks: [
        ({ proxyInfo, request }: { proxyInfo?: { url: string }; request: { url: string } }) => {
          if (proxyInfo !== undefined && request.url.endsWith('/2')) proxyInfo.url = withWrongKey(proxyInfo.url);
        },
      ],
      requestHandler() {},
    }),
  );
  const run = crawler.run([`${target[scheme]}/1`, `${target[scheme]}/2`, `${target[scheme]}/3`]);
  await expect(run).rejects.toThrow('refused the API key');
  expect(target.visits.map(({ path }) => path)).toEqual(['/1']);
});

test('a web server at that address is told from a gateway', async () => {
  const server = createServer((_request, response) => response.writeHead(404).end('nothing here'));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const configuration = configure(`http://some-key-0000:@127.0.0.1:${(server.address() as AddressInfo).port}`);
  const { message } = await runInto(configuration, PRESET, 'http');
  expect(message).toContain('is no server of the session protocol');
});
