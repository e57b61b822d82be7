import { describe, expect, test } from 'vitest';
import { delayOf, paceKeyOf } from '../../src/sessions/pace-key.js';

describe('which clock a use is on', () => {
  for (const [name, scope, same] of [
    ['by IP, two sites share a clock', 'ip', true],
    ['by IP and domain, they do not', 'ip+domain', false],
  ] as const) {
    test(name, () => {
      const keys = ['a.example', 'b.example'].map((site) => paceKeyOf('127.0.0.2', site, scope));
      expect(keys[0] === keys[1]).toBe(same);
    });
  }

  test('two outgoing IPs never share one', () => {
    expect(paceKeyOf('127.0.0.2', 'a.example', 'ip')).not.toBe(paceKeyOf('127.0.0.3', 'a.example', 'ip'));
  });
});

describe('the delay of a domain', () => {
  const settings = {
    defaultMs: 12_000,
    domains: new Map([
      ['example.com', 20_000],
      ['api.example.com', 1_000],
      ['free.example', 0],
    ]),
  };

  for (const [host, delayMs] of [
    ['example.com', 20_000],
    ['www.example.com', 20_000],
    ['a.b.example.com', 20_000],
    ['api.example.com', 1_000],
    ['v2.api.example.com', 1_000],
    ['free.example', 0],
    ['notexample.com', 12_000],
    ['com', 12_000],
    ['127.0.0.1', 12_000],
    ['::1', 12_000],
  ] as const) {
    test(`of ${host} is ${delayMs} ms`, () => expect(delayOf(host, settings)).toBe(delayMs));
  }

  test('is the default where none is configured', () => {
    expect(delayOf('example.com', { defaultMs: 5, domains: new Map() })).toBe(5);
  });
});
