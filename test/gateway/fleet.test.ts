import { describe, expect, test } from 'vitest';
import { createFleet, type FleetChange, type FleetHealth } from '../../src/gateway/fleet.js';
import { createUpstream } from '../../src/upstreams/create-upstreams.js';
import { resolveUpstreams } from '../../src/upstreams/upstream-url.js';
import type { UpstreamConfig } from '../../src/upstreams/upstream-url.js';
import { openPolicy } from '../upstreams/open-upstream.js';

const A = 'http://me:secret-1@127.0.0.1:3001';
const B = 'http://me:secret-1@127.0.0.1:3002';
const C = 'http://me:secret-1@127.0.0.1:3003';

/** A fleet, with the changes it told and the IDs of the upstreams it closed. */
function setting(health?: FleetHealth) {
  const changes: FleetChange[] = [];
  const closed: string[] = [];
  const learned: unknown[] = [];
  const fleet = createFleet({
    create(spec) {
      const upstream = createUpstream(spec, { policy: openPolicy, connectTimeoutMs: 1000, responseTimeoutMs: 1000 });
      return {
        ...upstream,
        close: async () => {
          closed.push(spec.id);
          await upstream.close();
        },
      };
    },
    health,
    onLearned: async (ip) => void learned.push(ip),
    onChanged: (change) => changes.push(change),
    onFailure: (error) => {
      throw error;
    },
  });
  const list = (...configs: UpstreamConfig[]): void => fleet.list(resolveUpstreams(configs));
  const ids = (): string[] => fleet.all().map(({ id }) => id);
  return { fleet, list, ids, changes, closed, learned };
}

describe('a list that is read again', () => {
  test('keeps the upstreams that are in both, whatever their order, and tells the others', () => {
    const { fleet, list, ids, changes, closed } = setting();
    list(A, B);
    const kept = fleet.get('127.0.0.1:3002');
    list(C, B);
    expect(ids()).toEqual(['127.0.0.1:3003', '127.0.0.1:3002']);
    expect(fleet.get('127.0.0.1:3002')).toBe(kept);
    expect(changes).toEqual([{ added: ['127.0.0.1:3003'], removed: ['127.0.0.1:3001'] }]);
    expect(closed).toEqual(['127.0.0.1:3001']);
  });

  test('that is the same tells nothing and makes nothing', () => {
    const { fleet, list, changes } = setting();
    list(A, B);
    const before = fleet.all();
    list(A, B);
    expect(fleet.all()).toEqual(before);
    expect(changes).toEqual([]);
  });

  test('a changed password is a new upstream under the same ID', () => {
    const { fleet, list, ids, closed } = setting();
    list(A, B);
    const before = fleet.get('127.0.0.1:3001');
    list(A.replace('secret-1', 'secret-2'), B);
    expect(ids()).toEqual(['127.0.0.1:3001', '127.0.0.1:3002']);
    expect(fleet.get('127.0.0.1:3001')).not.toBe(before);
    expect(closed).toEqual(['127.0.0.1:3001']);
  });

  test('entries of one host keep their IDs when one of them leaves, and no other takes its ID', () => {
    const { fleet, list, ids } = setting();
    const user = (name: string): string => `http://${name}:x@127.0.0.1:3001`;
    list(user('one'), user('two'), user('three'));
    const [, second, third] = fleet.all();
    list(user('two'), user('three'));
    expect(fleet.all()).toEqual([second, third]);
    list(user('four'), user('two'));
    expect(ids()).toEqual(['127.0.0.1:3001#4', '127.0.0.1:3001#2']);
    list(user('two'), user('one'));
    expect(ids()).toEqual(['127.0.0.1:3001#2', '127.0.0.1:3001']);
    expect(fleet.usable().map(({ outgoingIp }) => outgoingIp)).toEqual(ids());
  });

  test('an upstream that leaves is closed when its last exchange has ended', () => {
    const { fleet, list, closed } = setting();
    list(A, B);
    const [one, two] = [fleet.hold('127.0.0.1:3001'), fleet.hold('127.0.0.1:3001')];
    list(B);
    expect([fleet.isListed('127.0.0.1:3001'), fleet.get('127.0.0.1:3001')]).toEqual([false, one?.upstream]);
    one?.release();
    one?.release();
    expect(closed).toEqual([]);
    two?.release();
    expect(closed).toEqual(['127.0.0.1:3001']);
    expect([fleet.get('127.0.0.1:3001'), fleet.hold('127.0.0.1:3001')]).toEqual([undefined, undefined]);
  });
});

describe('what may be used', () => {
  function sick(): { readonly health: FleetHealth; readonly set: (...ids: string[]) => void } {
    let down: readonly string[] = [];
    const listeners = new Set<() => void>();
    return {
      health: {
        isUsable: (id) => !down.includes(id),
        retryAfterMs: (id) => (down.includes(id) ? 1000 * down.length : 0),
        onChange(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      set(...ids) {
        down = ids;
        for (const listener of listeners) listener();
      },
    };
  }

  test('is listed once per change, not per request', () => {
    const { health, set } = sick();
    const { fleet, list } = setting(health);
    list(A, B);
    const both = fleet.usable();
    expect(fleet.usable()).toBe(both);
    set('127.0.0.1:3001');
    expect(fleet.usable().map(({ id }) => id)).toEqual(['127.0.0.1:3002']);
    expect([fleet.isListed('127.0.0.1:3001'), fleet.isUsable('127.0.0.1:3001')]).toEqual([true, false]);
    set();
    expect(fleet.usable()).toEqual(both);
    expect(fleet.usable()[0]).toBe(both[0]);
  });

  test('when the first of those that are down is tried again is told by place', () => {
    const { health, set } = sick();
    const { fleet, list } = setting(health);
    list({ url: A, country: 'us' }, { url: B, country: 'de' });
    set('127.0.0.1:3001');
    expect(fleet.retryAfterMs('127.0.0.1:3001')).toBe(1000);
    expect([{}, { country: 'us' }, { country: 'de' }].map((place) => fleet.firstRetryMs(place))).toEqual([
      1000,
      1000,
      undefined,
    ]);
  });

  test('has the outgoing IP that was learned; that of an exit is passed on only', async () => {
    const { fleet, list, learned } = setting();
    list(A);
    await fleet.learnOutgoingIp('127.0.0.1:3001', 'x1', '127.0.0.8');
    expect(fleet.usable()).toMatchObject([{ outgoingIp: '127.0.0.1:3001' }]);
    await fleet.learnOutgoingIp('127.0.0.1:3001', undefined, '127.0.0.9');
    await fleet.learnOutgoingIp('127.0.0.1:3001', undefined, '127.0.0.9');
    await fleet.learnOutgoingIp('404', undefined, '127.0.0.9');
    expect(fleet.usable()).toMatchObject([{ id: '127.0.0.1:3001', outgoingIp: '127.0.0.9' }]);
    expect(fleet.outgoingIpOf('127.0.0.1:3001')).toBe('127.0.0.9');
    expect(learned).toHaveLength(2);
  });
});
