import { expect, test } from 'vitest';
import { askedUrl } from '../../src/gateway/asked-url.js';
import { resolveOptions } from '../../src/gateway/options.js';

for (const [url, insecure, verify] of [
  ['https://echo.test/ip', [], true],
  ['https://echo.test/ip', ['test'], false],
  ['https://Echo.Test./ip', ['echo.test'], false],
  ['https://echo.test/ip', ['other.test'], true],
  ['https://[::1]:8443/ip', ['::1'], false],
  ['https://[::1]:8443/ip', ['[0:0::1]'], false],
  ['https://127.1/ip', ['127.0.0.1'], false],
] as const) {
  test(`the certificate of ${url} is ${verify ? '' : 'not '}verified where [${insecure.join()}] are insecure`, () => {
    const options = resolveOptions({ upstreams: ['direct://'], targets: { insecure } });
    expect(askedUrl(url, options)).toEqual({ url, verify });
  });
}

test('no URL is nothing to ask for', () => {
  expect(askedUrl(undefined, resolveOptions({ upstreams: ['direct://'] }))).toBeUndefined();
});
