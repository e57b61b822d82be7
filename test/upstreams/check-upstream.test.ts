import { describe, expect, test } from 'vitest';

import { checkUpstream, type CheckUrl } from '../../src/upstreams/check-upstream.js';
import type { UpstreamOptions } from '../../src/upstreams/upstream-parts.js';
import { resolveUpstream, type UpstreamConfig } from '../../src/upstreams/upstream-url.js';
import { createFakeVendor } from '../support/fake-vendor.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';
import { createTlsFront } from '../support/target-tls.js';
import { closeLater, openPolicy } from './open-upstream.js';

const UNASKED = 'accepts connections; credentials not tried: no URL to ask is configured';

function check(config: UpstreamConfig, ask?: CheckUrl, over: Partial<UpstreamOptions> = {}) {
  const options = { policy: openPolicy, connectTimeoutMs: 300, responseTimeoutMs: 300, ...over };
  return checkUpstream({ spec: resolveUpstream(config), options, ask, signal: new AbortController().signal });
}

/** Something to ask for that always answers this. */
async function startUrl(answer: string): Promise<CheckUrl> {
  const target = await createRawTarget(({ socket }) => socket.on('data', () => socket.end(answer)));
  return { url: `http://127.0.0.1:${closeLater(target).port}/`, verify: true };
}

describe('without a URL', () => {
  for (const [name, open, isOk, remark] of [
    [
      'a proxy is connected to',
      async () => `http://127.0.0.1:${closeLater(await createHttpProxy()).port}`,
      true,
      UNASKED,
    ],
    [
      'a SOCKS proxy is connected to',
      async () => `socks5://127.0.0.1:${closeLater(await createSocksProxy()).port}`,
      true,
      UNASKED,
    ],
    ['nobody is asked direct', async () => 'direct://', true, 'not asked: no URL to ask is configured'],
    ['a proxy that is not there is faulty', async () => `http://127.0.0.1:${await closedPort()}`, false, /refused/],
    [
      'a proxy that takes no TLS is faulty',
      async () => `https://127.0.0.1:${closeLater(await createRawTarget()).port}`,
      false,
      /took longer than 300 ms/,
    ],
    ['an address that can be bound is good', async () => 'local://127.0.0.9', true, 'can be left from'],
    [
      'an address of elsewhere is faulty',
      async () => 'local://198.51.100.1',
      false,
      /198\.51\.100\.1 is not one of this machine/,
    ],
    [
      'a prefix of elsewhere is faulty',
      async () => 'local://198.51.100.0/29',
      false,
      /198\.51\.100\.\d is not one of this machine/,
    ],
  ] as const) {
    test(name, async () => {
      const checked = await check(await open());
      expect(checked.remark).toMatch(remark);
      expect(checked.isOk).toBe(isOk);
    });
  }

  test('a certificate is verified, unless it is not to be', async () => {
    const { port } = closeLater(await createTlsFront(closeLater(await createHttpProxy()).port));
    const url = `https://127.0.0.1:${port}`;
    expect(await check(url)).toMatchObject({ isOk: false, remark: expect.stringContaining('self-signed') });
    expect(await check({ url, insecure: true })).toMatchObject({ isOk: true, remark: UNASKED });
  });
});

describe('with a URL', () => {
  test('its answer may tell the outgoing IP, which what is configured outdoes', async () => {
    const ask = await startUrl('HTTP/1.1 200 OK\r\n\r\n{"origin":"192.0.2.5"}');
    const url = `http://127.0.0.1:${closeLater(await createHttpProxy()).port}`;
    expect(await check(url, ask)).toEqual({ isOk: true, outgoingIp: '192.0.2.5', remark: 'answered 200' });
    expect(await check({ url, outgoingIp: '192.0.2.6' }, ask)).toMatchObject({ outgoingIp: '192.0.2.6' });
    expect(await check('direct://', ask)).toMatchObject({ isOk: true, outgoingIp: '192.0.2.5' });
  });

  test('a vendor is asked through a sticky session of its own, and may tell the outgoing IP itself', async () => {
    const credentials = /^brd-customer-c1-zone-z1-session-(?<session>[a-z0-9]+):pw$/;
    const vendor = closeLater(await createFakeVendor({ credentials, countsFrom: 'use', tellsIn: 'x-brd-ip' }));
    const url = `http://brd-customer-c1-zone-z1:pw@127.0.0.1:${vendor.port}`;
    const checked = await check({ vendor: 'brightdata', url }, await startUrl('HTTP/1.1 200 OK\r\n\r\nfine'));
    expect(checked).toMatchObject({ isOk: true, outgoingIp: expect.stringMatching(/^127\.0\.0\.\d+$/) });
    expect(vendor.sessions).toHaveLength(1);
  });

  for (const [name, answer, remark] of [
    ['an error is a fault', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', /was answered with 502/],
    ['a refusal is a fault', 'HTTP/1.1 403 Forbidden\r\n\r\n', /was answered with 403/],
    ['credentials that are wanted are a fault', 'HTTP/1.1 407 Proxy\r\n\r\n', /asks for credentials/],
    ['nonsense is a fault', 'SSH-2.0-server\r\n', /not valid HTTP/],
  ] as const) {
    test(name, async () => {
      const ask = await startUrl(answer);
      const proxy = new URL(ask.url).host;
      const checked = await check(`http://${proxy}`, ask);
      expect(checked.remark).toMatch(remark);
      expect(checked).toMatchObject({ isOk: false, outgoingIp: undefined });
    });
  }
});
