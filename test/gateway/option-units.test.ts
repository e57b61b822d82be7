import { describe, expect, test } from 'vitest';

import { readDomain, readDurationMs, readHostName, readSizeBytes } from '../../src/gateway/option-units.js';

describe('durations', () => {
  for (const [written, ms] of [
    ['250ms', 250],
    ['12s', 12_000],
    ['1.5s', 1_500],
    ['15m', 900_000],
    ['1h', 3_600_000],
    ['12 s', 12_000],
    [' 12s ', 12_000],
    [12, 12_000],
    ['12', 12_000],
    [0.25, 250],
    ['0', 0],
    [0, 0],
    ['0ms', 0],
    [1.1, 1_100],
    ['0.2ms', 1],
    ['24d', undefined],
    ['12S', undefined],
    ['-1s', undefined],
    [-1, undefined],
    ['', undefined],
    ['s', undefined],
    ['1m30s', undefined],
    ['1e3', undefined],
    ['600h', undefined],
    [Number.NaN, undefined],
    [Infinity, undefined],
    [true, undefined],
    [null, undefined],
    ['12constructor', undefined],
  ] as const) {
    test(`${JSON.stringify(written)} is ${ms === undefined ? 'no duration' : `${ms} ms`}`, () => {
      expect(readDurationMs(written)).toBe(ms);
    });
  }
});

describe('sizes', () => {
  for (const [written, bytes] of [
    ['64KB', 65_536],
    ['64kb', 65_536],
    ['64KiB', 65_536],
    ['100MB', 104_857_600],
    ['1 GB', 1_073_741_824],
    ['0.5KB', 512],
    ['10B', 10],
    [1_000, 1_000],
    ['1000', 1_000],
    ['1.5', undefined],
    ['1TB', undefined],
    ['-1KB', undefined],
    ['', undefined],
    [[], undefined],
  ] as const) {
    test(`${JSON.stringify(written)} is ${bytes === undefined ? 'no size' : `${bytes} bytes`}`, () => {
      expect(readSizeBytes(written)).toBe(bytes);
    });
  }
});

describe('names', () => {
  for (const [written, name] of [
    ['Example.COM.', 'example.com'],
    ['*.Example.com', 'example.com'],
    ['localhost', 'localhost'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8::A', '2001:db8::a'],
    ['https://example.com', undefined],
    ['example.com/path', undefined],
    ['example.com:80', undefined],
    ['user@example.com', undefined],
    ['a..b', undefined],
    ['*.*.com', undefined],
    ['-a.com', undefined],
    [`${'a'.repeat(64)}.com`, undefined],
    ['', undefined],
    ['.', undefined],
  ] as const) {
    test(`the domain ${JSON.stringify(written)} is ${name ?? 'refused'}`, () => expect(readDomain(written)).toBe(name));
  }

  test('an IPv6 address may stand in brackets', () => expect(readHostName('[::1]')).toBe('::1'));
});
