import { Readable } from 'node:stream';
import { expect, test } from 'vitest';

import { frameHead, without } from '../../src/upstreams/request-framing.js';
import { failureOf } from './open-upstream.js';

const BODY = Readable.from([]);
const KEEP = ['Connection', 'keep-alive'];

for (const [name, method, headers, body, added, bodyBytes] of [
  ['a GET needs nothing', 'GET', KEEP, undefined, [], 0],
  ['a POST without body says so', 'POST', KEEP, undefined, ['Content-Length', '0'], 0],
  ['a DELETE without body needs nothing', 'DELETE', KEEP, undefined, [], 0],
  ['an unknown method without body says so', 'PURGE', KEEP, undefined, ['Content-Length', '0'], 0],
  ['a stated length stands', 'POST', [...KEEP, 'CONTENT-LENGTH', '7'], BODY, [], 7],
  ['a stated length of nothing stands', 'POST', [...KEEP, 'Content-Length', '0'], undefined, [], 0],
  ['stated chunks stand', 'POST', [...KEEP, 'transfer-encoding', 'gzip, Chunked'], BODY, [], undefined],
  ['a body without framing is chunked', 'GET', KEEP, BODY, ['Transfer-Encoding', 'chunked'], undefined],
] as const) {
  test(name, () =>
    expect(frameHead({ method, headers, body })).toMatchObject({ headers: [...headers, ...added], bodyBytes }),
  );
}

for (const [value, closes] of [
  ['close', true],
  ['Upgrade, CLOSE', true],
  ['keep-alive', false],
  ['x-close', false],
] as const) {
  test(`Connection: ${value} ${closes ? 'closes' : 'does not close'}`, () => {
    expect(frameHead({ method: 'GET', headers: ['Connection', value], body: undefined }).closes).toBe(closes);
  });
}

for (const [name, headers, body] of [
  ['two lengths', ['Content-Length', '1', 'Content-Length', '1'], BODY],
  ['a list of lengths', ['Content-Length', '1, 1'], BODY],
  ['a signed length', ['Content-Length', '+1'], BODY],
  ['a length beyond counting', ['Content-Length', '9999999999999999'], BODY],
  ['a length without a body', ['Content-Length', '1'], undefined],
  ['a coding that is not chunked', ['Transfer-Encoding', 'gzip'], BODY],
  ['chunked before another coding', ['Transfer-Encoding', 'chunked, gzip'], BODY],
  ['chunked as part of another word', ['Transfer-Encoding', 'xchunked'], BODY],
] as const) {
  test(`${name} is bad_request`, async () => {
    const attempt = Promise.resolve().then(() => frameHead({ method: 'POST', headers, body }));
    expect(await failureOf(attempt)).toMatchObject({ code: 'bad_request' });
  });
}

test('a header is taken out wherever it stands, in any case, values untouched', () => {
  expect(without(['a', 'b', 'X-A', '1', 'c', 'x-a', 'x-A', '2'], 'x-a')).toEqual(['a', 'b', 'c', 'x-a']);
});
