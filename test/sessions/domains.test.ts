import { describe, expect, test } from 'vitest';
import { findByDomain, isInDomains } from '../../src/sessions/domains.js';

const MAP = new Map([
  ['example.com', 1],
  ['shop.example.com', 2],
]);

describe('what is set for a host is that of the longest domain it lies in', () => {
  for (const [host, found] of [
    ['example.com', 1],
    ['www.example.com', 1],
    ['shop.example.com', 2],
    ['a.shop.example.com', 2],
    ['notexample.com', undefined],
    ['com', undefined],
    ['127.0.0.1', undefined],
  ] as const) {
    test(host, () => expect(findByDomain(host, MAP)).toBe(found));
  }

  test('nothing is set where there are no domains', () =>
    expect(findByDomain('example.com', new Map())).toBeUndefined());
});

describe('a host is in a set of domains', () => {
  for (const [name, host, domains, expected] of [
    ['as one of them', 'example.com', ['example.com'], true],
    ['below one of them', 'a.b.example.com', ['example.com'], true],
    ['by the star', '127.0.0.1', ['*'], true],
    ['not above one of them', 'com', ['example.com'], false],
    ['not by a common end of names', 'badexample.com', ['example.com'], false],
    ['not if there are none', 'example.com', [], false],
  ] as const) {
    test(name, () => expect(isInDomains(host, new Set(domains))).toBe(expected));
  }
});
