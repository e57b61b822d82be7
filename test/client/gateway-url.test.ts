import { expect, test } from 'vitest';

import { resolveGatewayUrl } from '../../src/client/gateway-url.js';
import { SessionsClient } from '../../src/client/index.js';

for (const [proxyUrl, url, apiKey] of [
  ['http://some-key:@127.0.0.1:8011', 'http://127.0.0.1:8011', 'some-key'],
  ['http://some-key@127.0.0.1:8011/', 'http://127.0.0.1:8011', 'some-key'],
  ['http://some-key:session-a,country-us@[::1]:8011', 'http://[::1]:8011', 'some-key'],
  ['https://some%2Dkey:@proxy.example', 'https://proxy.example', 'some-key'],
] as const) {
  test(`${proxyUrl} is a gateway at ${url}`, () => {
    expect(resolveGatewayUrl(proxyUrl)).toEqual({ url, apiKey });
    expect(new SessionsClient(proxyUrl).url).toBe(url);
  });
}

for (const [proxyUrl, told] of [
  ['', 'write http://KEY:@host:port'],
  ['some-key:@127.0.0.1:8011', 'write http://KEY:@host:port'],
  ['127.0.0.1:8011', 'write http://KEY:@host:port'],
  ['socks5://some-key:@127.0.0.1:8011', 'write http://KEY:@host:port'],
  ['http://some-key:@127.0.0.1:99999', 'write http://KEY:@host:port'],
  ['http://127.0.0.1:8011', 'has no API key: write http://KEY:@127.0.0.1:8011'],
  ['http://:some-key@127.0.0.1:8011', 'has no API key'],
  ['http://some-key%:@127.0.0.1:8011', 'has no API key'],
] as const) {
  test(`${JSON.stringify(proxyUrl)} is refused, and the key is not repeated`, () => {
    expect(() => new SessionsClient(proxyUrl)).toThrow(TypeError);
    expect(() => new SessionsClient(proxyUrl)).toThrow(told);
    expect(() => new SessionsClient(proxyUrl)).not.toThrow('some-key');
  });
}
