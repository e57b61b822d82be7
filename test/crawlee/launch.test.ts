// A gateway in this process: started, used, stopped, and what of its options the plugin takes.

import { expect, onTestFinished, test } from 'vitest';

import { SessionProxyConfiguration } from '../../src/index.js';
import type { LaunchOptions } from '../../src/index.js';
import { createCrawler, listSessions, localUpstreams } from './crawl.js';
import { openTarget } from './crawl-target.js';

async function launch(options: Partial<LaunchOptions> = {}): Promise<SessionProxyConfiguration> {
  const configuration = await SessionProxyConfiguration.launch({
    upstreams: localUpstreams(2),
    targets: { allowPrivate: true },
    delays: { default: 0 },
    drainTimeout: 0,
    ...options,
  });
  onTestFinished(() => configuration.close());
  return configuration;
}

test('it listens on a free port of its own, crawls, and is gone after close()', async () => {
  const [configuration, other] = await Promise.all([launch(), launch()]);
  const target = await openTarget();
  expect(configuration.proxyUrl).toMatch(/^http:\/\/[0-9A-Za-z._~-]{8,128}:@127\.0\.0\.1:\d+$/);
  expect(configuration.proxyUrl).not.toBe(other.proxyUrl);
  const crawler = createCrawler(configuration.httpCrawlerOptions({ requestHandler() {} }));
  await crawler.run([`${target.http}/1`, `${target.https}/2`]);
  expect(target.visits.map(({ fromIp }) => fromIp).toSorted()).toEqual(['127.0.0.2', '127.0.0.3']);
  expect(await listSessions(configuration)).toHaveLength(2);
  await configuration.close();
  await expect(listSessions(configuration)).rejects.toThrow('did not answer');
});

test('the time for a page follows delays.maxHold', async () => {
  const configuration = await launch({ delays: { default: 0, maxHold: '2m' } });
  expect(configuration.httpCrawlerOptions({})).toMatchObject({ navigationTimeoutSecs: 180 });
});

test("the plugin's own options stand beside the gateway's", async () => {
  const configuration = await launch({
    upstreams: [
      { url: 'local://127.0.0.2', country: 'de' },
      { url: 'local://127.0.0.3', country: 'us' },
    ],
    country: 'us',
    apiKeys: ['a-key-of-mine-1'],
  });
  expect(configuration.proxyUrl).toContain('//a-key-of-mine-1:@');
  await configuration.newUrl('a');
  expect(configuration.proxySession({ id: 'a' })?.outgoingIp).toBe('127.0.0.3');
});

test.each([
  ['no upstream', { upstreams: [] }, /upstream/],
  ['an option the gateway does not know', { upstreem: ['direct://'] }, /upstreem/],
  ["a plugin's option with a bad value", { transport: 'pigeon' }, /transport takes/],
])('%s is refused, and nothing goes on running', async (_name, options, told) => {
  // @ts-expect-error -- what a JavaScript user may write
  await expect(launch(options)).rejects.toThrow(told);
});
