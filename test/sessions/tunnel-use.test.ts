import { expect, test } from 'vitest';
import type { Place } from '../../src/sessions/pace.js';
import {
  forgetTunnel,
  joinTunnel,
  MAX_TUNNEL_TARGETS,
  noteTunnel,
  type TunnelUses,
} from '../../src/sessions/tunnel-use.js';

const TARGET = 'example.com:443';

function first(startsAtMs = 0): { uses: TunnelUses; place: Place } {
  const uses: TunnelUses = new Map();
  const place = { startsAtMs, delayMs: 1000, sharers: 1 };
  noteTunnel(uses, TARGET, place);
  return { uses, place };
}

test('the second CONNECT to a host and port shares the place of the first', () => {
  const { uses, place } = first();
  expect(joinTunnel(uses, TARGET, 10_000)).toBe(place);
  expect(place.sharers).toBe(2);
});

test('it may come before the first has started', () => {
  const { uses, place } = first(5000);
  expect(joinTunnel(uses, TARGET, 0)).toBe(place);
});

test('more than 10 s later it is a use of its own, and so are all behind it', () => {
  const { uses } = first();
  expect(joinTunnel(uses, TARGET, 10_001)).toBeUndefined();
  expect(joinTunnel(uses, TARGET, 10_001)).toBeUndefined();
});

test('the third CONNECT is a use of its own', () => {
  const { uses } = first();
  joinTunnel(uses, TARGET, 1);
  expect(joinTunnel(uses, TARGET, 2)).toBeUndefined();
  noteTunnel(uses, TARGET, { startsAtMs: 3, delayMs: 1, sharers: 1 });
  expect(joinTunnel(uses, TARGET, 4)).toBeUndefined();
});

test('another port is another target', () => {
  const { uses } = first();
  expect(joinTunnel(uses, 'example.com:8443', 1)).toBeUndefined();
});

test('a session without tunnels joins none', () => expect(joinTunnel(undefined, TARGET, 1)).toBeUndefined());

test('after a first one that was given up, the next is first again', () => {
  const { uses, place } = first(5000);
  forgetTunnel(uses, TARGET, place);
  forgetTunnel(undefined, TARGET, place);
  expect(joinTunnel(uses, TARGET, 1)).toBeUndefined();
  expect(uses.size).toBe(0);
});

test('a place that is not the first one is not forgotten in its stead', () => {
  const { uses, place } = first();
  forgetTunnel(uses, TARGET, { ...place });
  expect(joinTunnel(uses, TARGET, 1)).toBe(place);
});

test('no more hosts are remembered than the bound', () => {
  const { uses } = first();
  for (let port = 1; port <= MAX_TUNNEL_TARGETS; port += 1) {
    noteTunnel(uses, `example.com:${port}`, { startsAtMs: 0, delayMs: 1, sharers: 1 });
  }
  expect(uses.size).toBe(MAX_TUNNEL_TARGETS);
  expect(uses.has(TARGET)).toBe(false);
});
