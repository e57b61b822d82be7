// A gateway in this process: started, used, stopped, and what of its options the plugin takes.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect as tlsConnect } from 'node:tls';

import { expect, onTestFinished, test } from 'vitest';

import { SessionProxyConfiguration } from '../../src/index.js';
import type { LaunchOptions } from '../../src/index.js';
import { SELF_SIGNED } from '../support/self-signed.js';
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

/** The fingerprint of the certificate inside a tunnel that names no session. */
async function fingerprintThrough(proxyUrl: string, targetUrl: string): Promise<string> {
  const { hostname, port, username } = new URL(proxyUrl);
  const headers = { 'proxy-authorization': `Basic ${Buffer.from(`${username}:`).toString('base64')}` };
  const connect = request({ hostname, port, method: 'CONNECT', path: new URL(targetUrl).host, headers }).end();
  const [, tunnel] = (await once(connect, 'connect')) as [unknown, Socket];
  const secure = tlsConnect({ socket: tunnel, rejectUnauthorized: false });
  onTestFinished(() => void secure.destroy());
  await once(secure, 'secureConnect');
  return secure.getPeerCertificate().fingerprint256;
}

test.each([
  ['credentials', undefined, true],
  ['credentials', 'auto', false],
  ['headers', undefined, false],
] as const)(
  'with transport %s and intercept %s https without a session shows the certificate of the target: %s',
  async (transport, intercept, isTargets) => {
    const dataDir = mkdtempSync(path.join(tmpdir(), 'launch-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    const target = await openTarget();
    const configuration = await launch({ transport, dataDir, ...(intercept === undefined ? {} : { intercept }) });
    const { fingerprint256 } = new X509Certificate(SELF_SIGNED.cert);
    expect((await fingerprintThrough(configuration.proxyUrl, target.https)) === fingerprint256).toBe(isTargets);
  },
);

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
