// What is said to who gives wrong options; no message may hold the API key.

import { expect, test } from 'vitest';

import { splitLaunchOptions } from '../../src/crawlee/options.js';
import { knownNamesAt, OPTIONS_OF_LATER_VERSIONS } from '../../src/gateway/option-schema.js';
import { SessionProxyConfiguration } from '../../src/index.js';

const KEY = 'secret-key-0000';
const PROXY_URL = `http://${KEY}:@127.0.0.1:8011`;

function messageOf(options: unknown): string {
  try {
    // What a JavaScript user may write.
    const configuration = Reflect.construct(SessionProxyConfiguration, [options]);
    return `accepted ${configuration.constructor.name}`;
  } catch (error) {
    return error instanceof TypeError ? error.message : `not a TypeError: ${String(error)}`;
  }
}

for (const [name, options, told] of [
  ['nothing at all', undefined, 'new SessionProxyConfiguration({ proxyUrl:'],
  ['no proxyUrl', {}, 'proxyUrl is missing'],
  ['a proxyUrl that is no URL', { proxyUrl: 'localhost:8011' }, 'write http://KEY:@host:port'],
  ['a proxyUrl without scheme', { proxyUrl: `${KEY}:@localhost:8011` }, 'write http://KEY:@host:port'],
  ['a proxyUrl of another scheme', { proxyUrl: `socks5://${KEY}:@h:1` }, 'write http://KEY:@host:port'],
  ['a proxyUrl without key', { proxyUrl: 'http://127.0.0.1:8011' }, 'has no API key: write http://KEY:@127.0.0.1:8011'],
  ['a proxyUrl with the key as password', { proxyUrl: `http://:${KEY}@127.0.0.1:8011` }, 'has no API key'],
  ['proxyUrls', { proxyUrl: PROXY_URL, proxyUrls: ['http://a:1'] }, 'give them to it as upstreams'],
  [
    'tieredProxyUrls',
    { proxyUrl: PROXY_URL, tieredProxyUrls: [['http://a:1']] },
    'another outgoing IP on every request',
  ],
  ['newUrlFunction', { proxyUrl: PROXY_URL, newUrlFunction: () => null }, 'makes the proxy URL of each session itself'],
  ['upstreams', { proxyUrl: PROXY_URL, upstreams: ['direct://'] }, 'SessionProxyConfiguration.launch({ upstreams })'],
  ['a ca that is no file', { proxyUrl: PROXY_URL, ca: 'no-such.crt' }, 'no certificate could be read from no-such.crt'],
  ['a misspelt option', { proxyUrl: PROXY_URL, transprot: 'headers' }, 'Did you mean transport?'],
  ['an unknown transport', { proxyUrl: PROXY_URL, transport: 'header' }, "transport takes 'credentials' or 'headers'"],
  ['an unknown pacing', { proxyUrl: PROXY_URL, pacing: 'none' }, "pacing takes 'gateway' or 'client'"],
  [
    'pacing by the client over headers',
    { proxyUrl: PROXY_URL, pacing: 'client', transport: 'headers' },
    "needs transport 'credentials'",
  ],
  ['an unknown end of lost sessions', { proxyUrl: PROXY_URL, onSessionLost: 'keep' }, "takes 'retire' or 'recreate'"],
  ['an unknown way with mismatches', { proxyUrl: PROXY_URL, onMismatch: 'log' }, "onMismatch takes 'count' or 'throw'"],
  ['a country of three letters', { proxyUrl: PROXY_URL, country: 'usa' }, 'country takes two letters'],
  [
    'a country with headers',
    { proxyUrl: PROXY_URL, country: 'us', transport: 'headers' },
    "can't go with transport 'headers'",
  ],
] as const) {
  test(`${name} is refused with what to do`, () => {
    const message = messageOf(options);
    expect(message).toContain(told);
    expect(message).not.toContain(KEY);
  });
}

test.each([
  { proxyUrl: PROXY_URL },
  { proxyUrl: `http://${KEY}@127.0.0.1:8011/` },
  { proxyUrl: `http://${KEY}:dummy@127.0.0.1:8011` },
  { proxyUrl: `http://${KEY}:@[::1]:8011`, transport: 'headers' },
  { proxyUrl: PROXY_URL, transport: 'credentials', country: 'US', pacing: 'gateway', onSessionLost: 'recreate' },
  { proxyUrl: PROXY_URL, pacing: 'client', onMismatch: 'throw', ca: '-----BEGIN CERTIFICATE-----' },
  { proxyUrl: PROXY_URL, transport: undefined, country: undefined, proxyUrls: undefined },
])('$proxyUrl and the like are accepted', (options) => {
  expect(messageOf(options)).toBe('accepted SessionProxyConfiguration');
});

test('proxyUrl is the address with the key, however it was written', () => {
  for (const written of [PROXY_URL, `http://${KEY}@127.0.0.1:8011/`, `http://${KEY}:dummy@127.0.0.1:8011`]) {
    expect(new SessionProxyConfiguration({ proxyUrl: written }).proxyUrl).toBe(PROXY_URL);
  }
});

test.each([
  ['nothing at all', undefined, 'SessionProxyConfiguration.launch({ upstreams: ['],
  ['null', null, 'SessionProxyConfiguration.launch({ upstreams: ['],
  ['a URL', 'direct://', 'SessionProxyConfiguration.launch({ upstreams: ['],
  ['a misspelt transport', { upstreams: ['direct://'], transprot: 'headers' }, 'Did you mean transport?'],
  ['a misspelt country', { upstreams: ['direct://'], contry: 'us' }, 'Did you mean country?'],
  [
    'an option in other letters',
    { upstreams: ['direct://'], on_session_lost: 'retire' },
    'Did you mean onSessionLost?',
  ],
])('launch() with %s is refused with what to do', async (_name, options, told) => {
  // @ts-expect-error -- what a JavaScript user may write
  const launched = SessionProxyConfiguration.launch(options);
  await expect(launched).rejects.toBeInstanceOf(TypeError);
  await expect(launched).rejects.toThrow(told);
});

test("no option of a gateway's is taken for a misspelt one of the plugin's", () => {
  const gateway = Object.fromEntries([...knownNamesAt([]), ...OPTIONS_OF_LATER_VERSIONS].map((name) => [name, 1]));
  expect(splitLaunchOptions(gateway).gateway).toEqual(gateway);
});
