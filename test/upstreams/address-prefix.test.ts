import { describe, expect, test } from 'vitest';

import { createAddressDraw, isInPrefix } from '../../src/upstreams/address-prefix.js';

const SEEDS = Array.from({ length: 2_000 }, (_, index) => `session ${index}`);

function drawn(network: string, bits: number): Set<string> {
  return new Set(SEEDS.map(createAddressDraw({ network, bits })));
}

describe('of a prefix', () => {
  for (const [network, bits, addresses] of [
    ['192.0.2.4', 32, ['192.0.2.4']],
    ['192.0.2.4', 31, ['192.0.2.4', '192.0.2.5']],
    ['192.0.2.4', 30, ['192.0.2.5', '192.0.2.6']],
    ['192.0.2.0', 29, ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6']],
    ['2001:db8::4', 128, ['2001:db8::4']],
    ['2001:db8::4', 127, ['2001:db8::4', '2001:db8::5']],
    ['2001:db8::4', 126, ['2001:db8::5', '2001:db8::6', '2001:db8::7']],
  ] as const) {
    test(`${network}/${bits}, ${addresses.length} addresses are drawn`, () => {
      expect([...drawn(network, bits)].toSorted()).toEqual(addresses);
    });
  }

  for (const [network, bits] of [
    ['127.0.4.0', 24],
    ['10.0.0.0', 8],
    ['2001:db8::', 64],
    ['fd00::', 8],
  ] as const) {
    test(`${network}/${bits}, all that is drawn is in it`, () => {
      const found = [...drawn(network, bits)];
      expect(found.filter((address) => !isInPrefix(address, { network, bits }))).toEqual([]);
      expect(found.length).toBeGreaterThan(250);
    });
  }
});

test('each address is drawn about as often as any other', () => {
  const draw = createAddressDraw({ network: '192.0.2.0', bits: 28 });
  const times = new Map<string, number>();
  for (const address of SEEDS.map(draw)) times.set(address, (times.get(address) ?? 0) + 1);
  expect(times.size).toBe(14);
  // 143 on average; six standard deviations on either side.
  expect([...times.values()].filter((count) => count < 70 || count > 215)).toEqual([]);
});

test('a seed draws one address, in every process', () => {
  const draw = createAddressDraw({ network: '2001:db8:1:2::', bits: 64 });
  expect(draw('4711')).toBe(draw('4711'));
  // sha256 of the seed, modulo 254, plus 1.
  expect(createAddressDraw({ network: '192.0.2.0', bits: 24 })('4711')).toBe('192.0.2.107');
});

describe('an address', () => {
  for (const [address, isIn] of [
    ['192.0.2.0', true],
    ['192.0.2.255', true],
    ['192.0.3.0', false],
    ['::ffff:192.0.2.7', false],
    ['here', false],
  ] as const) {
    test(`${address} is ${isIn ? '' : 'not '}in 192.0.2.0/24`, () => {
      expect(isInPrefix(address, { network: '192.0.2.0', bits: 24 })).toBe(isIn);
    });
  }
});
