// The part of the stores' contract that is about ways out: how they share sessions and requests, exits, the loss of an
// upstream, and outgoing IPs that become known.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { OnUpstreamLoss } from '../../src/sessions/loss.js';
import type { RuleSettings } from '../../src/sessions/settings.js';
import type {
  AcquireRequest,
  Acquired,
  SessionStore,
  SessionView,
  StoreEvent,
  UpstreamChoice,
} from '../../src/stores/session-store.js';
import { FakeClock } from '../support/fake-clock.js';
import { DELAY_MS, DOWN, MINUTE, request, SETTINGS, type StoreFactory, UPSTREAMS } from './store-setting.js';

const DONE = { result: 'answered', bytesIn: 20, bytesOut: 10 } as const;
const [A, B] = UPSTREAMS as [UpstreamChoice, UpstreamChoice];
const AT_ONCE = { delays: { ...SETTINGS.delays, defaultMs: 0 } };

/** Many sessions and no delays: for tests of shares. */
const MANY = { ...AT_ONCE, sessions: { ...SETTINGS.sessions, max: 10_000 } };

/** A line with an exit for each last digit of a seed, whose addresses are known. */
const LINE: UpstreamChoice = {
  id: 'line',
  outgoingIp: 'line',
  draw: (seed) => ({ exit: `x${seed.at(-1)}`, outgoingIp: `127.0.4.${seed.at(-1)}` }),
};

interface Bench {
  readonly store: SessionStore;
  readonly clock: FakeClock;
  readonly events: StoreEvent[];
  readonly acquire: (given?: Partial<AcquireRequest>) => Promise<Acquired>;
  readonly create: (upstreams: readonly UpstreamChoice[], onUpstreamLoss?: OnUpstreamLoss) => Promise<SessionView>;
  /** What a use of that session without an answer to wait for comes to. */
  readonly use: (id: string, given?: Partial<AcquireRequest>) => Promise<Acquired>;
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}

export function describeWaysOut(name: string, factory: StoreFactory): void {
  async function bench(settings: Partial<RuleSettings> = {}): Promise<Bench> {
    const clock = new FakeClock();
    let lastId = 0;
    let lastSeed = 0;
    const store = await factory({
      clock,
      settings: { ...SETTINGS, ...settings },
      newId: () => String((lastId += 1)),
      newSeed: () => `seed${(lastSeed += 1)}`,
    });
    onTestFinished(() => store.close());
    const events: StoreEvent[] = [];
    store.subscribe((event) => events.push(event));
    const acquire: Bench['acquire'] = async (given) => {
      const answer = await store.acquire(request(given));
      if (!answer.ok) throw new Error(`Refused with ${answer.code}`);
      return answer;
    };
    return {
      store,
      clock,
      events,
      acquire,
      async create(upstreams, onUpstreamLoss) {
        const answer = await store.create({ owner: 'me', traits: { onUpstreamLoss }, upstreams });
        if (!answer.ok) throw new Error(`Refused with ${answer.code}`);
        return answer.session;
      },
      async use(id, given) {
        const acquired = await acquire({ session: { kind: 'id', id }, ...given });
        await store.release(acquired.ticket, DONE);
        return acquired;
      },
    };
  }

  describe(`${name}: shares of upstreams`, () => {
    const weighted = [{ ...A, weight: 3 }, B];

    test('sessions are spread by weight', async () => {
      const { create } = await bench(MANY);
      const made = [];
      for (let index = 0; index < 40; index += 1) made.push(await create(weighted));
      expect(countBy(made, ({ upstreamId }) => upstreamId)).toEqual({ a: 30, b: 10 });
    });

    test('so are requests without a session, evenly mixed', async () => {
      const { acquire } = await bench(MANY);
      const uses = [];
      for (let index = 0; index < 40; index += 1) uses.push(await acquire({ session: undefined, upstreams: weighted }));
      expect(countBy(uses, ({ upstreamId }) => upstreamId)).toEqual({ a: 30, b: 10 });
      expect(countBy(uses.slice(0, 8), ({ upstreamId }) => upstreamId)).toEqual({ a: 6, b: 2 });
    });

    test('one that was away has no turns to catch up on', async () => {
      const { acquire } = await bench(MANY);
      for (let index = 0; index < 20; index += 1) await acquire({ session: undefined, upstreams: [A] });
      const uses = [];
      for (let index = 0; index < 10; index += 1) uses.push(await acquire({ session: undefined, upstreams: [A, B] }));
      expect(countBy(uses, ({ upstreamId }) => upstreamId)).toEqual({ a: 5, b: 5 });
    });

    test('upstreams that were tried are left out, for requests without a session', async () => {
      const { store, acquire } = await bench(MANY);
      const except = new Set(['a']);
      for (let index = 0; index < 4; index += 1) {
        expect((await acquire({ session: undefined, except })).upstreamId).toBe('b');
      }
      const none = request({ session: undefined, except: new Set(['a', 'b']) });
      expect(await store.acquire(none)).toMatchObject({ ok: false, code: 'noslaves' });
    });
  });

  describe(`${name}: exits`, () => {
    test('a session has the exit of its own ID, and keeps it', async () => {
      const { create, use, store } = await bench(AT_ONCE);
      const made = await create([LINE]);
      expect(made).toMatchObject({ upstreamId: 'line', exit: 'x1', outgoingIp: '127.0.4.1' });
      for (let index = 0; index < 3; index += 1) {
        expect(await use(made.id, { upstreams: [LINE] })).toMatchObject({ exit: 'x1', outgoingIp: '127.0.4.1' });
      }
      expect(await create([LINE])).toMatchObject({ exit: 'x2' });
      expect(await store.get('me', made.id)).toMatchObject({ exit: 'x1' });
    });

    test('requests without a session have a fresh one each', async () => {
      const { acquire } = await bench(AT_ONCE);
      const given = { session: undefined, upstreams: [LINE] };
      const exits = [await acquire(given), await acquire(given)].map(({ exit, outgoingIp }) => [exit, outgoingIp]);
      expect(exits).toEqual([
        ['x1', '127.0.4.1'],
        ['x2', '127.0.4.2'],
      ]);
    });

    test('each exit has its own clock, shared with the upstream of the same address', async () => {
      const { acquire, create, use } = await bench();
      const given = { session: undefined, upstreams: [LINE] };
      expect([(await acquire(given)).waitMs, (await acquire(given)).waitMs]).toEqual([0, 0]);
      const { id } = await create([LINE]);
      expect((await use(id, { upstreams: [LINE] })).waitMs).toBe(DELAY_MS);
      const same = { ...A, outgoingIp: '127.0.4.2' };
      expect((await acquire({ session: undefined, upstreams: [same] })).waitMs).toBe(DELAY_MS);
    });

    test('while exits are free, none is waited for', async () => {
      const { acquire, create, use } = await bench();
      const { id } = await create([LINE]);
      await use(id, { upstreams: [LINE] });
      expect(await acquire({ session: undefined, upstreams: [LINE] })).toMatchObject({ exit: 'x2', waitMs: 0 });
    });

    test('a line shares sessions with single proxies by weight, not by how many exits it has', async () => {
      const { create } = await bench(MANY);
      const singles = [A, B, { id: 'c', outgoingIp: '127.0.0.4' }];
      const made = [];
      for (let index = 0; index < 40; index += 1) made.push(await create([LINE, ...singles]));
      expect(countBy(made, ({ upstreamId }) => upstreamId)).toEqual({ line: 10, a: 10, b: 10, c: 10 });
      const more = [];
      for (let index = 0; index < 40; index += 1) more.push(await create([{ ...LINE, weight: 9 }, A]));
      expect(countBy([...made, ...more], ({ upstreamId }) => upstreamId)).toMatchObject({ line: 50, a: 10 });
    });

    test('an exit whose address is banned somewhere is not drawn for that target', async () => {
      const { store, create, acquire } = await bench(AT_ONCE);
      const { id } = await create([LINE]);
      const verdict = { owner: 'me', sessionId: id, site: 'example.com', verdict: 'banned' } as const;
      await store.reportVerdict(verdict);
      expect(await acquire({ session: undefined, upstreams: [LINE] })).toMatchObject({ exit: 'x2' });
      const only = { ...LINE, draw: () => ({ exit: 'x1', outgoingIp: '127.0.4.1' }) };
      const banned = { ok: false, code: 'banned', retryAfterMs: 10 * MINUTE };
      expect(await store.acquire(request({ session: undefined, upstreams: [only] }))).toMatchObject(banned);
      expect(await store.acquire(request({ upstreams: [only] }))).toMatchObject(banned);
      expect((await store.list({ owner: 'me', limit: 10 })).sessions).toHaveLength(1);
    });
  });

  describe(`${name}: the loss of an upstream`, () => {
    const sameIp = { id: 'c', outgoingIp: A.outgoingIp };
    const facts = { ...DOWN, isListed: (id: string) => id === 'a' };

    for (const [policy, left, outcome] of [
      ['fail', [B], 'ends'],
      ['same-ip', [B], 'ends'],
      ['same-ip', [B, sameIp], 'c'],
      ['rebind', [B], 'b'],
      ['rebind', [], 'ends'],
    ] as const) {
      test(`gone, under ${policy}, with ${left.map(({ id }) => id).join(' and ') || 'none'} left: ${outcome}`, async () => {
        const { store, create, use, events } = await bench(AT_ONCE);
        const { id } = await create([A], policy);
        if (outcome === 'ends') {
          const asked = request({ session: { kind: 'id', id }, upstreams: left });
          expect(await store.acquire(asked)).toMatchObject({ ok: false, code: 'bad_session_id' });
          expect(await store.get('me', id)).toBeUndefined();
          expect(events.at(-1)).toMatchObject({ type: 'session.ended', sessionId: id, reason: 'lost' });
          return;
        }
        expect(await use(id, { upstreams: left })).toMatchObject({ upstreamId: outcome });
        expect(await store.get('me', id)).toMatchObject({ upstreamId: outcome });
        expect(events.filter(({ type }) => type === 'session.moved')).toMatchObject([
          { owner: 'me', sessionId: id, from: A.outgoingIp, why: 'gone' },
        ]);
      });
    }

    for (const [policy, left, outcome] of [
      ['fail', [B, sameIp], 'waits'],
      ['same-ip', [B], 'waits'],
      ['same-ip', [B, sameIp], 'c'],
      ['rebind', [B], 'b'],
      ['rebind', [], 'waits'],
    ] as const) {
      test(`down, under ${policy}, with ${left.map(({ id }) => id).join(' and ') || 'none'} left: ${outcome}`, async () => {
        const { store, create, use } = await bench(AT_ONCE);
        const { id } = await create([A], policy);
        if (outcome !== 'waits') {
          expect(await use(id, { upstreams: left, facts })).toMatchObject({ upstreamId: outcome });
          return;
        }
        const refused = { ok: false, code: 'noslaves', retryAfterMs: 7000 };
        expect(await store.acquire(request({ session: { kind: 'id', id }, upstreams: left, facts }))).toMatchObject(
          refused,
        );
        const { target } = request();
        expect(await store.book({ owner: 'me', sessionId: id, target, upstreams: left, facts })).toMatchObject(refused);
        expect(await use(id)).toMatchObject({ upstreamId: 'a' });
      });
    }

    test('the rule of the settings holds for sessions without one of their own', async () => {
      const { create, use } = await bench({
        ...AT_ONCE,
        sessions: { ...SETTINGS.sessions, onUpstreamLoss: 'rebind' },
      });
      expect(await use((await create([A])).id, { upstreams: [B] })).toMatchObject({ upstreamId: 'b' });
      await expect(use((await create([A], 'fail')).id, { upstreams: [B] })).rejects.toThrow('bad_session_id');
    });

    test('an address that is not known is the same as no other', async () => {
      const { create, use } = await bench(AT_ONCE);
      const unknown = { id: 'proxy:1', outgoingIp: 'proxy:1' };
      const { id } = await create([unknown], 'same-ip');
      await expect(use(id, { upstreams: [{ id: 'x', outgoingIp: 'proxy:1' }] })).rejects.toThrow('bad_session_id');
    });

    test('a session stays in the place it was asked for', async () => {
      const { store, acquire } = await bench(AT_ONCE);
      const us = { ...A, country: 'us' };
      const given = { upstreams: [us], traits: { country: 'us', onUpstreamLoss: 'rebind' } } as const;
      const { ticket, session } = await acquire(given);
      await store.release(ticket, DONE);
      const asked = request({ session: { kind: 'id', id: session?.id ?? '' }, upstreams: [{ ...B, country: 'de' }] });
      expect(await store.acquire(asked)).toMatchObject({ code: 'bad_session_id' });
    });

    test('it is told once that it moved: by the next use that has an answer', async () => {
      const { store, create, acquire, use } = await bench(AT_ONCE);
      const { id } = await create([A], 'rebind');
      const given = { session: { kind: 'id', id }, upstreams: [B] } as const;
      const first = await acquire(given);
      const beside = await acquire(given);
      await store.release(first.ticket, { ...DONE, result: 'failed' });
      const second = await use(id, given);
      const third = await use(id, given);
      const told = [first, beside, second, third].map(({ session }) => session?.formerIp);
      expect(told).toEqual([A.outgoingIp, undefined, A.outgoingIp, undefined]);
    });

    test('nothing is told of a move that changed no address', async () => {
      const { create, use } = await bench(AT_ONCE);
      const { id } = await create([A], 'same-ip');
      expect((await use(id, { upstreams: [sameIp] })).session?.formerIp).toBeUndefined();
    });

    test('the clock of the new address counts, and a use that runs by the old one ends as it began', async () => {
      const { store, create, acquire } = await bench();
      const { id } = await create([A], 'rebind');
      const old = await acquire({ session: { kind: 'id', id }, upstreams: [A] });
      await acquire({ session: undefined, upstreams: [B] });
      const moved = await acquire({ session: { kind: 'id', id }, upstreams: [B] });
      expect([old.waitMs, moved.waitMs]).toEqual([0, DELAY_MS]);
      await store.release(old.ticket, DONE);
      await store.release(moved.ticket, DONE);
      expect(await store.get('me', id)).toMatchObject({ upstreamId: 'b', uses: 2, nextUseInMs: 2 * DELAY_MS });
    });

    test('slots that were booked before a move keep their starts, and the new clock respects them', async () => {
      const { store } = await bench();
      const traits = { pacing: 'client', onUpstreamLoss: 'rebind' } as const;
      const made = await store.create({ owner: 'me', traits, upstreams: [A] });
      const sessionId = made.ok ? made.session.id : '';
      const book = (upstreams: readonly UpstreamChoice[]) =>
        store.book({ owner: 'me', sessionId, target: request().target, upstreams });
      await book([A]);
      await book([A]);
      expect(await book([B])).toMatchObject({ ok: true, startsInMs: 2 * DELAY_MS, outgoingIp: B.outgoingIp });
    });

    test('where all others are banned by the target, it waits for the first of them', async () => {
      const { store, create, acquire } = await bench(AT_ONCE);
      const { id } = await create([A], 'rebind');
      const { ticket } = await acquire({ session: undefined, upstreams: [B] });
      await store.release(ticket, { ...DONE, result: 'banned' });
      const asked = request({ session: { kind: 'id', id }, upstreams: [B] });
      expect(await store.acquire(asked)).toMatchObject({ code: 'banned', retryAfterMs: 10 * MINUTE });
      expect(await store.get('me', id)).toBeDefined();
    });

    test('where none is usable, a request without a session is told when the first is tried again', async () => {
      const { store } = await bench();
      for (const session of [undefined, { kind: 'create' } as const]) {
        const refused = await store.acquire(request({ session, upstreams: [], facts: DOWN }));
        expect(refused).toMatchObject({ code: 'noslaves', retryAfterMs: 7000 });
      }
    });
  });

  describe(`${name}: what a use would come to`, () => {
    const target = { host: 'example.com', site: 'example.com' };

    test('is told without being booked', async () => {
      const { store, create, use, clock } = await bench();
      const { id } = await create([A]);
      await use(id, { upstreams: [A] });
      await store.reportVerdict({ owner: 'me', sessionId: id, site: 'example.com', verdict: 'banned' });
      clock.advance(1000);
      const expected = {
        waitMs: DELAY_MS - 1000,
        delayMs: DELAY_MS,
        coolMs: 10 * MINUTE - 1000,
        session: { id, uses: 1 },
      };
      expect(await store.outlook('me', id, target)).toMatchObject(expected);
      expect(await store.outlook('me', id, target)).toMatchObject(expected);
    });

    test('and is not told of a session of another owner', async () => {
      const { store, create } = await bench();
      expect(await store.outlook('you', (await create([A])).id, target)).toBeUndefined();
    });
  });

  describe(`${name}: outgoing IPs that become known`, () => {
    const proxies = ['p:1', 'p:2'].map((id) => ({ id, outgoingIp: id })) as [UpstreamChoice, UpstreamChoice];
    const [P1, P2] = proxies;
    const ip = '127.0.0.9';
    const learned = { upstreamId: 'p:1', exit: undefined, outgoingIp: ip, policy: 'tell' } as const;

    test('sessions that were there and those to come have it, and nobody is told of a change', async () => {
      const { store, create, use, events } = await bench(AT_ONCE);
      const { id } = await create([P1]);
      await store.learnOutgoingIp(learned);
      expect(await store.get('me', id)).toMatchObject({ outgoingIp: ip });
      const after = { ...P1, outgoingIp: ip };
      expect(await use(id, { upstreams: [after] })).toMatchObject({ outgoingIp: ip, session: { formerIp: undefined } });
      expect(await create([after])).toMatchObject({ outgoingIp: ip });
      expect(events.map(({ type }) => type)).not.toContain('session.ip-changed');
    });

    test('upstreams that turn out to have one address share a clock, the later of both', async () => {
      const { store, acquire } = await bench();
      await acquire({ session: undefined, upstreams: [P1] });
      await acquire({ session: undefined, upstreams: [P1] });
      await store.learnOutgoingIp({ ...learned, upstreamId: 'p:2' });
      await store.learnOutgoingIp(learned);
      const known = proxies.map((upstream) => ({ ...upstream, outgoingIp: ip }));
      const waits = [];
      for (const upstream of known) waits.push((await acquire({ session: undefined, upstreams: [upstream] })).waitMs);
      expect(waits).toEqual([2 * DELAY_MS, 3 * DELAY_MS]);
    });

    test('they share the sessions that are on it, too', async () => {
      const { store, create } = await bench(MANY);
      for (let index = 0; index < 4; index += 1) await create([P1]);
      await store.learnOutgoingIp(learned);
      const known = [{ ...P1, outgoingIp: ip }, { ...P2, outgoingIp: ip }, A];
      const made = [];
      for (let index = 0; index < 4; index += 1) made.push((await create(known)).upstreamId);
      expect(made).toEqual(['a', 'a', 'a', 'a']);
    });

    test('a target that banned it before it was known bans it still', async () => {
      const { store, create } = await bench(AT_ONCE);
      const { id } = await create([P1]);
      await store.reportVerdict({ owner: 'me', sessionId: id, site: 'example.com', verdict: 'banned' });
      await store.learnOutgoingIp(learned);
      const upstreams = [{ ...P1, outgoingIp: ip }];
      for (const session of [undefined, { kind: 'id', id } as const]) {
        expect(await store.acquire(request({ session, upstreams }))).toMatchObject({ code: 'banned' });
      }
    });

    test('where a known address changes, each session of it is told, once', async () => {
      const { store, create, use, events } = await bench(AT_ONCE);
      const [one, two, other] = [await create([P1]), await create([P1]), await create([P2])];
      await store.learnOutgoingIp(learned);
      await store.learnOutgoingIp(learned);
      await store.learnOutgoingIp({ ...learned, outgoingIp: '127.0.0.10' });
      const changes = events.filter(({ type }) => type === 'session.ip-changed');
      // In no particular order.
      expect(
        changes.toSorted((a, b) => Number('sessionId' in a && a.sessionId) - Number('sessionId' in b && b.sessionId)),
      ).toEqual(
        [one, two].map(({ id }) => ({
          type: 'session.ip-changed',
          owner: 'me',
          sessionId: id,
          upstream: 'p:1',
          from: ip,
          to: '127.0.0.10',
        })),
      );
      expect((await use(one.id, { upstreams: proxies })).session?.formerIp).toBe(ip);
      expect((await use(one.id, { upstreams: proxies })).session?.formerIp).toBeUndefined();
      expect((await use(other.id, { upstreams: proxies })).session?.formerIp).toBeUndefined();
    });

    test('or ends, where that is asked for', async () => {
      const { store, create, use, events } = await bench(AT_ONCE);
      const [one, other] = [await create([P1]), await create([P2])];
      await store.learnOutgoingIp({ ...learned, policy: 'end' });
      expect(await store.get('me', one.id)).toBeDefined();
      await store.learnOutgoingIp({ ...learned, outgoingIp: '127.0.0.10', policy: 'end' });
      expect(events.at(-1)).toMatchObject({ type: 'session.ended', sessionId: one.id, reason: 'ip-changed' });
      await expect(use(one.id, { upstreams: proxies })).rejects.toThrow('bad_session_id');
      await use(other.id, { upstreams: proxies });
    });

    test('by IP and domain, the clocks of all domains come along', async () => {
      const { store, acquire } = await bench({ delays: { ...SETTINGS.delays, scope: 'ip+domain' } });
      const to = (site: string, upstreams: readonly UpstreamChoice[]) =>
        acquire({ session: undefined, upstreams, target: { host: site, site } });
      await to('a.example', [P1]);
      await to('b.example', [P2]);
      await store.learnOutgoingIp(learned);
      const known = [{ ...P1, outgoingIp: ip }];
      const waits = [await to('a.example', known), await to('b.example', known)].map(({ waitMs }) => waitMs);
      expect(waits).toEqual([DELAY_MS, 0]);
    });

    test('that of an upstream nobody has used changes nothing', async () => {
      const { store, events } = await bench();
      await store.learnOutgoingIp({ ...learned, upstreamId: '404' });
      expect(events).toEqual([]);
    });

    test('that of an exit is that of its sessions alone', async () => {
      const { store, create } = await bench(AT_ONCE);
      const line = { ...LINE, draw: (seed: string) => ({ exit: `x${seed}`, outgoingIp: `line/x${seed}` }) };
      const [one, two] = [await create([line]), await create([line])];
      await store.learnOutgoingIp({ ...learned, upstreamId: 'line', exit: one.exit });
      expect(await store.get('me', one.id)).toMatchObject({ outgoingIp: ip });
      expect(await store.get('me', two.id)).toMatchObject({ outgoingIp: 'line/x2' });
    });
  });
}
