import { describe, expect, test } from 'vitest';

import { asksAtMs, createRoute, type IpRoute, noteRouteUse } from '../../src/upstreams/ip-route.js';
import type { Upstream } from '../../src/upstreams/upstream.js';
import { openUpstream } from './open-upstream.js';

const NOW_MS = 1_000_000;
const MINUTE = 60_000;
const TTL_MS = 30 * MINUTE;

type Sticky = Pick<Upstream, 'stickyMs' | 'countsFrom' | 'stickyIdleMs' | 'tellsOutgoingIp'>;

function upstreamWith(sticky: Sticky): Upstream {
  return { ...openUpstream('http://127.0.0.1:9'), ...sticky };
}

function known(over: Partial<IpRoute> = {}): IpRoute {
  return { ...createRoute('a', 'exit1', NOW_MS), outgoingIp: '192.0.2.1', ...over };
}

const fromUse = { stickyMs: 10 * MINUTE, countsFrom: 'use' } as const;
const fromCreation = { stickyMs: 10 * MINUTE, countsFrom: 'creation' } as const;

describe('a route is asked', () => {
  for (const [name, route, sticky, atMs] of [
    ['at once while nothing is known', createRoute('a', 'exit1', NOW_MS), {}, 0],
    ['at once where it has no exits', createRoute('a', undefined, NOW_MS), {}, 0],
    [
      'after a while where the proxy tells it by itself',
      createRoute('a', 'exit1', NOW_MS),
      { tellsOutgoingIp: 'x-ip' },
      30_000,
    ],
    ['never again where nothing is forgotten', known(), {}, Infinity],
    ['never again where it has no exits', known({ exit: undefined }), fromUse, Infinity],
    ['before the vendor forgets it', known(), fromUse, 9.5 * MINUTE],
    ['that much later for a use', known({ lastUsedAtMs: NOW_MS + MINUTE }), fromUse, 10.5 * MINUTE],
    ['before a short life ends', known(), { stickyMs: 10_000, countsFrom: 'use' }, 8_000],
    ['when the vendor gives it another IP anyway', known(), fromCreation, 10 * MINUTE],
    ['no later for a use then', known({ lastUsedAtMs: NOW_MS + MINUTE }), fromCreation, 10 * MINUTE],
    ['before it is forgotten for want of uses', known(), { ...fromCreation, stickyIdleMs: MINUTE }, 48_000],
    ['10 s after a failure', known({ failures: 1, failedAtMs: NOW_MS }), fromUse, 10_000],
    ['40 s after the third', known({ failures: 3, failedAtMs: NOW_MS }), fromUse, 40_000],
    ['10 minutes after many', known({ exit: undefined, failures: 40, failedAtMs: NOW_MS }), {}, 10 * MINUTE],
    ['not any more when its sessions are gone', known({ sessionUsedAtMs: NOW_MS - 25 * MINUTE }), fromUse, Infinity],
    ['as long as a session may live', known({ sessionUsedAtMs: NOW_MS - 20 * MINUTE }), fromUse, 9.5 * MINUTE],
  ] as const) {
    test(name, () => expect(asksAtMs(route, upstreamWith(sticky), TTL_MS)).toBe(NOW_MS + atMs));
  }
});

describe('a use', () => {
  for (const [name, sticky, atMs, firstMs] of [
    ['before the end lets the life go on', fromUse, 9 * MINUTE, 0],
    ['after the end begins another', fromUse, 10 * MINUTE, 10 * MINUTE],
    ['of what is never forgotten changes nothing', {}, 99 * MINUTE, 0],
  ] as const) {
    test(name, () => {
      const route = known();
      noteRouteUse(route, upstreamWith(sticky), NOW_MS + atMs);
      expect(route.firstUsedAtMs).toBe(NOW_MS + firstMs);
      expect(route.lastUsedAtMs).toBe(NOW_MS + atMs);
    });
  }
});
