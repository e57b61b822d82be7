// What every store must do, whatever it is made of. Each store's own test calls this with a factory.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { RuleSettings } from '../../src/sessions/settings.js';
import type { AcquireRequest, Acquired, Refused, SessionStore, StoreEvent } from '../../src/stores/session-store.js';
import { FakeClock } from '../support/fake-clock.js';
import { describeWaysOut } from './store-contract-ways.js';
import { DELAY_MS, DOWN, MINUTE, request, SETTINGS, type StoreFactory, UPSTREAMS } from './store-setting.js';

const DONE = { result: 'answered', bytesIn: 20, bytesOut: 10 } as const;
const FAILED = { ...DONE, result: 'failed' } as const;

function granted(answer: Acquired | Refused): Acquired {
  if (!answer.ok) throw new Error(`Refused with ${answer.code}`);
  return answer;
}

interface Bench {
  readonly store: SessionStore;
  readonly clock: FakeClock;
  readonly events: StoreEvent[];
  /** Acquires, and fails the test where that is refused. */
  readonly acquire: (given?: Partial<AcquireRequest>) => Promise<Acquired>;
  /** A use of a session by its ID, started and settled. */
  readonly use: (id: string) => Promise<Acquired>;
  readonly create: (owner?: string) => Promise<string>;
}

/** Runs the contract against one kind of store. */
export function describeStore(name: string, factory: StoreFactory): void {
  describeWaysOut(name, factory);

  async function bench(settings: Partial<RuleSettings> = {}): Promise<Bench> {
    const clock = new FakeClock();
    let lastId = 0;
    const newId = (): string => String((lastId += 1));
    const store = await factory({ clock, settings: { ...SETTINGS, ...settings }, newId });
    onTestFinished(() => store.close());
    const events: StoreEvent[] = [];
    store.subscribe((event) => events.push(event));
    const acquire = async (given: Partial<AcquireRequest> = {}): Promise<Acquired> =>
      granted(await store.acquire(request(given)));
    return {
      store,
      clock,
      events,
      acquire,
      async use(id) {
        const acquired = await acquire({ session: { kind: 'id', id } });
        await store.release(acquired.ticket, DONE);
        return acquired;
      },
      async create(owner = 'me') {
        const answer = await store.create({ owner, traits: {}, upstreams: UPSTREAMS });
        if (!answer.ok) throw new Error(`Refused with ${answer.code}`);
        return answer.session.id;
      },
    };
  }

  describe(`${name}: sessions`, () => {
    test('a created session is used by its ID, and stays on its outgoing IP', async () => {
      const { acquire, store, clock } = await bench();
      const first = await acquire();
      await store.release(first.ticket, DONE);
      expect(first.session).toMatchObject({ created: true });
      for (let index = 0; index < 5; index += 1) {
        clock.advance(DELAY_MS);
        const next = await acquire({ session: { kind: 'id', id: first.session?.id ?? '' } });
        await store.release(next.ticket, DONE);
        expect(next).toMatchObject({ outgoingIp: first.outgoingIp, waitMs: 0, session: { created: false } });
      }
    });

    test('new sessions are spread over the outgoing IPs', async () => {
      const { create, store } = await bench();
      for (let index = 0; index < 4; index += 1) await create();
      const { sessions } = await store.list({ owner: 'me', limit: 10 });
      const outgoingIps = sessions.map(({ outgoingIp }) => outgoingIp.slice(-1)).toSorted();
      expect(outgoingIps).toEqual(['2', '2', '3', '3']);
    });

    test('parallel creates make different sessions', async () => {
      const { acquire } = await bench();
      const answers = await Promise.all([acquire(), acquire(), acquire()]);
      expect(new Set(answers.map(({ session }) => session?.id)).size).toBe(3);
    });

    test('an unknown ID, and that of another owner, is bad_session_id', async () => {
      const { store, create } = await bench();
      const foreign = await create('you');
      for (const id of ['404', foreign]) {
        expect(await store.acquire(request({ session: { kind: 'id', id } }))).toMatchObject({ code: 'bad_session_id' });
        expect(await store.get('me', id)).toBeUndefined();
        expect(await store.remove('me', id)).toBe(false);
      }
      expect(await store.get('you', foreign)).toMatchObject({ id: foreign });
    });

    test('a session whose upstream is gone is bad_session_id', async () => {
      const { store, create } = await bench();
      const id = await create();
      const answer = await store.acquire(
        request({ session: { kind: 'id', id }, upstreams: [UPSTREAMS[1] ?? { id: '', outgoingIp: '' }] }),
      );
      expect(answer).toMatchObject({ ok: false, code: 'bad_session_id' });
    });

    test('no usable upstream is noslaves, with and without a session', async () => {
      const { store } = await bench();
      for (const session of [undefined, { kind: 'create' } as const]) {
        expect(await store.acquire(request({ session, upstreams: [] }))).toMatchObject({ ok: false, code: 'noslaves' });
      }
      expect(await store.create({ owner: 'me', traits: {}, upstreams: [] })).toMatchObject({ code: 'noslaves' });
    });

    test('the limit holds per owner and for both ways of creating; deleting makes room', async () => {
      const { store, create } = await bench();
      const ids = await Promise.all([create(), create(), create(), create(), create()]);
      expect(await store.acquire(request())).toMatchObject({ ok: false, code: 'user_session_limit' });
      expect(await store.create(request())).toMatchObject({ ok: false, code: 'user_session_limit' });
      await create('you');
      expect(await store.remove('me', ids[0])).toBe(true);
      await create();
    });

    test('expired sessions do not count against the limit', async () => {
      const { create, clock } = await bench();
      for (let index = 0; index < 5; index += 1) await create();
      clock.advance(30 * MINUTE);
      await create();
    });

    test('a deleted session is gone at once', async () => {
      const { store, create, events } = await bench();
      const id = await create();
      expect(await store.remove('me', id)).toBe(true);
      expect(await store.acquire(request({ session: { kind: 'id', id } }))).toMatchObject({ code: 'bad_session_id' });
      expect(await store.remove('me', id)).toBe(false);
      expect(events.at(-1)).toEqual({ type: 'session.ended', owner: 'me', sessionId: id, reason: 'deleted' });
    });

    test('a session deleted while in use settles without coming back', async () => {
      const { store, acquire } = await bench();
      const { ticket, session } = await acquire();
      await store.remove('me', session?.id ?? '');
      await store.release(ticket, DONE);
      expect(await store.list({ owner: 'me', limit: 10 })).toEqual({ sessions: [], after: undefined });
    });

    test('a name is got or created, and belongs to its owner', async () => {
      const { store, acquire } = await bench();
      const named = { session: { kind: 'name', name: 'checkout' } as const };
      const first = await acquire(named);
      const second = await acquire(named);
      expect(second.session).toMatchObject({ id: first.session?.id, created: false });
      const foreign = await acquire({ ...named, owner: 'you' });
      expect(foreign.session?.id).not.toBe(first.session?.id);
      const again = await store.create({ owner: 'me', traits: { name: 'checkout' }, upstreams: UPSTREAMS });
      expect(again).toMatchObject({ ok: true, created: false, session: { id: first.session?.id } });
    });

    test('a country limits the choice, and nothing else', async () => {
      const { store, acquire } = await bench();
      const upstreams = [
        { id: 'a', outgoingIp: '127.0.0.2', country: 'de' },
        { id: 'b', outgoingIp: '127.0.0.3', country: 'us' },
      ];
      const us = { upstreams, traits: { country: 'us' } };
      const named = { session: { kind: 'name', name: 'checkout' } as const };
      for (const session of [undefined, { kind: 'create' } as const]) {
        expect((await acquire({ ...us, session })).outgoingIp).toBe('127.0.0.3');
      }
      const german = await acquire({ ...named, upstreams, traits: { country: 'de' } });
      expect((await acquire({ ...named, ...us })).session?.id).toBe(german.session?.id);
      const none = request({ upstreams, traits: { country: 'xx' } });
      expect(await store.acquire(none)).toMatchObject({ ok: false, code: 'noslaves' });
      expect(await store.create(none)).toMatchObject({ ok: false, code: 'noslaves' });
    });

    test('a name whose session is gone makes a new one', async () => {
      const { store, acquire } = await bench();
      const named = { session: { kind: 'name', name: 'checkout' } as const };
      const first = await acquire(named);
      await store.remove('me', first.session?.id ?? '');
      expect((await acquire(named)).session).toMatchObject({ created: true });
    });

    test('a list is paged in order of creation, over deletions', async () => {
      const { store, create } = await bench();
      const ids = [await create(), await create(), await create(), await create(), await create()];
      const first = await store.list({ owner: 'me', limit: 2 });
      expect(first.sessions.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      await store.remove('me', ids[1] ?? '');
      await store.remove('me', ids[2] ?? '');
      const second = await store.list({ owner: 'me', limit: 2, after: first.after });
      expect(second).toMatchObject({ sessions: [{ id: ids[3] }, { id: ids[4] }], after: undefined });
      expect(await store.list({ owner: 'nobody', limit: 2 })).toEqual({ sessions: [], after: undefined });
    });

    test('what a session was given and did is shown', async () => {
      const { store, clock } = await bench();
      const traits = { name: 'x', country: 'us', pacing: 'gateway', bancheck: false } as const;
      const upstreams = UPSTREAMS.map((upstream) => ({ ...upstream, country: 'us' }));
      const created = await store.create({ owner: 'me', traits, upstreams });
      const createdAtMs = clock.nowMs();
      clock.advance(MINUTE);
      const used = granted(await store.acquire(request({ session: { kind: 'name', name: 'x' } })));
      clock.advance(500);
      await store.release(used.ticket, DONE);
      expect(created.ok && (await store.get('me', created.session.id))).toMatchObject({
        traits,
        createdAtMs,
        lastUsedAtMs: createdAtMs + MINUTE,
        expiresAtMs: createdAtMs + 31 * MINUTE,
        uses: 1,
        unbookedUses: 0,
        bytesIn: 20,
        bytesOut: 10,
        nextUseInMs: DELAY_MS - 500,
      });
    });
  });

  describe(`${name}: what came in a session`, () => {
    const seen = async (store: SessionStore, id: string) => {
      const session = await store.get('me', id);
      return { requests: session?.requests, tunnels: session?.tunnels };
    };

    test('requests and CONNECTs are counted, those that are no use of their own too', async () => {
      const { store, create, acquire, use } = await bench();
      const id = await create();
      expect(await seen(store, id)).toEqual({ requests: 0, tunnels: [] });
      await use(id);
      await acquire({ session: { kind: 'id', id }, tunnel: 'example.com:443' });
      await acquire({ session: { kind: 'id', id }, tunnel: 'example.com:443' });
      expect(await store.get('me', id)).toMatchObject({ requests: 3, uses: 2 });
    });

    test('a request that was refused did not come in', async () => {
      const { store, create } = await bench();
      const id = await create();
      const asked = request({ session: { kind: 'id', id }, upstreams: [], facts: DOWN });
      expect(await store.acquire(asked)).toMatchObject({ ok: false });
      expect(await seen(store, id)).toEqual({ requests: 0, tunnels: [] });
    });

    test('tunnels are shown by target: how many are open, and since when none is', async () => {
      const { store, clock, create, acquire } = await bench();
      const id = await create();
      const tunnel = 'example.com:443';
      const first = await acquire({ session: { kind: 'id', id }, tunnel });
      const second = await acquire({ session: { kind: 'id', id }, tunnel });
      expect((await seen(store, id)).tunnels).toEqual([{ target: tunnel, open: 2, lastOpenMsAgo: 0 }]);
      clock.advance(500);
      await store.release(first.ticket, DONE);
      clock.advance(500);
      expect((await seen(store, id)).tunnels).toEqual([{ target: tunnel, open: 1, lastOpenMsAgo: 0 }]);
      await store.release(second.ticket, DONE);
      clock.advance(500);
      expect((await seen(store, id)).tunnels).toEqual([{ target: tunnel, open: 0, lastOpenMsAgo: 500 }]);
    });

    test('a CONNECT that is given up while it waits is closed', async () => {
      const { store, create, acquire, use } = await bench();
      const id = await create();
      await use(id);
      const held = await acquire({ session: { kind: 'id', id }, tunnel: 'example.com:443' });
      expect(await store.cancel(held.ticket)).toBe(true);
      expect((await seen(store, id)).tunnels).toMatchObject([{ open: 0, lastOpenMsAgo: 0 }]);
    });
  });

  describe(`${name}: expiry`, () => {
    test('a session ends 30 minutes after its last use, and says so', async () => {
      const { store, use, create, clock, events } = await bench();
      const id = await create();
      clock.advance(29 * MINUTE);
      await use(id);
      clock.advance(30 * MINUTE - 1);
      expect(await store.get('me', id)).toBeDefined();
      clock.advance(1);
      expect(await store.get('me', id)).toBeUndefined();
      expect(await store.acquire(request({ session: { kind: 'id', id } }))).toMatchObject({ code: 'bad_session_id' });
      expect(events.at(-1)).toEqual({ type: 'session.ended', owner: 'me', sessionId: id, reason: 'expired' });
    });

    test('looking at it, or being refused, does not renew it', async () => {
      const { store, create, clock } = await bench();
      const id = await create();
      clock.advance(29 * MINUTE);
      await store.get('me', id);
      await store.list({ owner: 'me', limit: 10 });
      await store.acquire(request({ session: { kind: 'id', id }, upstreams: [], facts: DOWN }));
      clock.advance(MINUTE);
      expect(await store.list({ owner: 'me', limit: 10 })).toEqual({ sessions: [], after: undefined });
    });

    test('a running use keeps it alive; it counts from its start once it ends', async () => {
      const { store, acquire, clock } = await bench();
      const { ticket, session } = await acquire();
      clock.advance(40 * MINUTE);
      expect(await store.get('me', session?.id ?? '')).toBeDefined();
      await store.release(ticket, DONE);
      expect(await store.get('me', session?.id ?? '')).toBeUndefined();
    });

    test('a held use keeps it alive', async () => {
      const { acquire, store, clock } = await bench({ sessions: { ...SETTINGS.sessions, ttlMs: 5000 } });
      const first = await acquire();
      const id = first.session?.id ?? '';
      const held = await acquire({ session: { kind: 'id', id } });
      await store.release(first.ticket, DONE);
      clock.advance(11_000);
      expect(await store.get('me', id)).toBeDefined();
      clock.advance(1000);
      await store.release(held.ticket, DONE);
      clock.advance(4999);
      expect(await store.get('me', id)).toBeDefined();
      clock.advance(1);
      expect(await store.get('me', id)).toBeUndefined();
    });

    test('a use that was given up does not renew it', async () => {
      const { acquire, store, create, use, clock } = await bench();
      const id = await create();
      await use(id);
      clock.advance(1000);
      const held = await acquire({ session: { kind: 'id', id } });
      expect(await store.cancel(held.ticket)).toBe(true);
      clock.advance(30 * MINUTE - 1000);
      expect(await store.get('me', id)).toBeUndefined();
    });

    test('a name whose session expired makes a new one', async () => {
      const { acquire, store, clock } = await bench();
      const named = { session: { kind: 'name', name: 'checkout' } as const };
      await store.release((await acquire(named)).ticket, DONE);
      clock.advance(30 * MINUTE);
      expect((await acquire(named)).session).toMatchObject({ created: true });
    });

    test('a clock that steps back lengthens no life and shortens no delay', async () => {
      const { create, use, acquire, clock } = await bench();
      const id = await create();
      await use(id);
      clock.advance(-60 * MINUTE);
      expect((await acquire({ session: { kind: 'id', id } })).waitMs).toBe(DELAY_MS);
    });
  });

  describe(`${name}: delays`, () => {
    test('five uses at once start one delay apart', async () => {
      const { acquire, create, clock } = await bench();
      const session = { kind: 'id', id: await create() } as const;
      const uses = await Promise.all([1, 2, 3, 4, 5].map(() => acquire({ session })));
      expect(uses.map(({ startsAtMs }) => startsAtMs - clock.nowMs())).toEqual(
        [0, 1, 2, 3, 4].map((n) => n * DELAY_MS),
      );
    });

    test('two sessions on one outgoing IP share its clock, two IPs do not', async () => {
      const { acquire } = await bench();
      const [one, two] = [await acquire(), await acquire()];
      const three = await acquire();
      expect([one.waitMs, two.waitMs, three.waitMs]).toEqual([0, 0, DELAY_MS]);
      expect(new Set([one.outgoingIp, two.outgoingIp]).size).toBe(2);
    });

    test('two upstreams with one outgoing IP share its clock', async () => {
      const { acquire } = await bench();
      const upstreams = UPSTREAMS.map(({ id }) => ({ id, outgoingIp: '127.0.0.2' }));
      expect([(await acquire({ upstreams })).waitMs, (await acquire({ upstreams })).waitMs]).toEqual([0, DELAY_MS]);
    });

    test('all owners share the clock of an outgoing IP', async () => {
      const { acquire } = await bench();
      const upstreams = UPSTREAMS.slice(0, 1);
      await acquire({ upstreams });
      expect((await acquire({ upstreams, owner: 'you' })).waitMs).toBe(DELAY_MS);
    });

    test('by IP and domain, each domain has its own clock', async () => {
      const { acquire } = await bench({ delays: { ...SETTINGS.delays, scope: 'ip+domain' } });
      const upstreams = UPSTREAMS.slice(0, 1);
      const to = (host: string, site: string) => acquire({ upstreams, session: undefined, target: { host, site } });
      expect((await to('a.example', 'a.example')).waitMs).toBe(0);
      expect((await to('b.example', 'b.example')).waitMs).toBe(0);
      expect((await to('www.a.example', 'a.example')).waitMs).toBe(DELAY_MS);
    });

    test('a domain may have a delay of its own', async () => {
      const { acquire } = await bench({ delays: { ...SETTINGS.delays, domains: new Map([['slow.example', 60_000]]) } });
      const upstreams = UPSTREAMS.slice(0, 1);
      const target = { host: 'www.slow.example', site: 'slow.example' };
      expect((await acquire({ upstreams, target })).delayMs).toBe(60_000);
      expect((await acquire({ upstreams })).waitMs).toBe(60_000);
    });

    test('requests without a session take the IP that is free first, then the one unused longest', async () => {
      const { acquire, clock } = await bench();
      const plain = { session: undefined };
      const ips = [await acquire(plain), await acquire(plain), await acquire(plain)].map(
        ({ outgoingIp }) => outgoingIp,
      );
      expect(new Set(ips.slice(0, 2)).size).toBe(2);
      expect(ips[2]).toBe(ips[0]);
      clock.advance(60 * MINUTE);
      expect((await acquire(plain)).outgoingIp).toBe(ips[1]);
    });

    test('past the longest hold it is serverbusy with the delay, and a session made for it is not kept', async () => {
      const { store, acquire } = await bench({
        delays: { ...SETTINGS.delays, maxHoldMs: 20_000, softLimitMs: 20_000 },
      });
      const upstreams = UPSTREAMS.slice(0, 1);
      await acquire({ upstreams, session: undefined });
      await acquire({ upstreams, session: undefined });
      const refused = await store.acquire(request({ upstreams }));
      expect(refused).toEqual({ ok: false, code: 'serverbusy', retryAfterMs: 24_000, nextRequestInMs: 24_000 });
      expect(await store.list({ owner: 'me', limit: 10 })).toEqual({ sessions: [], after: undefined });
    });

    test('the delay is told from the soft limit on', async () => {
      const { acquire } = await bench({ delays: { ...SETTINGS.delays, softLimitMs: 24_000 } });
      const plain = { session: undefined, upstreams: UPSTREAMS.slice(0, 1) };
      const told = [await acquire(plain), await acquire(plain), await acquire(plain)].map((use) => use.nextRequestInMs);
      expect(told).toEqual([undefined, undefined, 24_000]);
    });
  });

  describe(`${name}: giving up`, () => {
    test('followers move up, and whoever listens is told', async () => {
      const { acquire, store, create, clock, events } = await bench();
      const session = { kind: 'id', id: await create() } as const;
      const uses = [await acquire({ session }), await acquire({ session }), await acquire({ session })];
      const [, second, third] = uses as [Acquired, Acquired, Acquired];
      expect(await store.cancel(second.ticket)).toBe(true);
      expect(await store.startsAtMs(third.ticket)).toBe(clock.nowMs() + DELAY_MS);
      expect(events.at(-1)).toEqual({ type: 'moved', paceKey: second.paceKey });
      expect(await store.startsAtMs(second.ticket)).toBeUndefined();
      expect((await acquire({ session })).waitMs).toBe(2 * DELAY_MS);
    });

    test('a use that has started is settled, not given back', async () => {
      const { acquire, store, create } = await bench();
      const session = { kind: 'id', id: await create() } as const;
      const { ticket } = await acquire({ session });
      expect(await store.cancel(ticket)).toBe(false);
      expect((await acquire({ session })).waitMs).toBe(DELAY_MS);
      expect(await store.get('me', session.id)).toMatchObject({ uses: 2 });
    });

    test('cancelling or releasing twice, or what never was, changes nothing', async () => {
      const { acquire, store, create } = await bench();
      const session = { kind: 'id', id: await create() } as const;
      const { ticket } = await acquire({ session });
      await store.release(ticket, DONE);
      await store.release(ticket, DONE);
      expect(await store.cancel(ticket)).toBe(false);
      expect(await store.cancel('never')).toBe(false);
      await store.release('never', DONE);
      expect(await store.get('me', session.id)).toMatchObject({ uses: 1, bytesIn: 20 });
    });

    test('a session made for a use that was given up, or got no answer, is not kept', async () => {
      const { acquire, store, events } = await bench();
      const upstreams = UPSTREAMS.slice(0, 1);
      const failed = await acquire({ upstreams });
      const held = await acquire({ upstreams });
      await store.cancel(held.ticket);
      await store.release(failed.ticket, FAILED);
      expect(await store.list({ owner: 'me', limit: 10 })).toEqual({ sessions: [], after: undefined });
      expect(events.filter(({ type }) => type === 'session.ended')).toMatchObject([
        { reason: 'unused' },
        { reason: 'unused' },
      ]);
    });

    test('a session that was used otherwise is kept when a use of it fails', async () => {
      const { acquire, store } = await bench();
      const named = { session: { kind: 'name', name: 'x' } as const };
      const [first, second] = [await acquire(named), await acquire(named)];
      await store.release(second.ticket, DONE);
      await store.release(first.ticket, FAILED);
      expect(await store.get('me', first.session?.id ?? '')).toBeDefined();
    });
  });

  describe(`${name}: tunnels`, () => {
    const tunnel = { tunnel: 'example.com:443' };

    test('the second CONNECT of a session to a host and port is the use of the first', async () => {
      const { acquire, store, create } = await bench();
      const session = { kind: 'id', id: await create() } as const;
      const waits = [];
      for (let index = 0; index < 4; index += 1) waits.push((await acquire({ session, ...tunnel })).waitMs);
      expect(waits).toEqual([0, 0, DELAY_MS, 2 * DELAY_MS]);
      expect(await store.get('me', session.id)).toMatchObject({ uses: 3 });
    });

    test('a held first one is shared too: it is given up when both are', async () => {
      const { acquire, store, create, use } = await bench();
      const id = await create();
      await use(id);
      const session = { kind: 'id', id } as const;
      const [first, second] = [await acquire({ session, ...tunnel }), await acquire({ session, ...tunnel })];
      expect([first.waitMs, second.waitMs]).toEqual([DELAY_MS, DELAY_MS]);
      await store.cancel(first.ticket);
      expect(await store.get('me', id)).toMatchObject({ uses: 2, nextUseInMs: 2 * DELAY_MS });
      await store.cancel(second.ticket);
      expect(await store.get('me', id)).toMatchObject({ uses: 1, nextUseInMs: DELAY_MS });
    });

    test('requests without a session share nothing', async () => {
      const { acquire } = await bench();
      const plain = { session: undefined, upstreams: UPSTREAMS.slice(0, 1), ...tunnel };
      expect([(await acquire(plain)).waitMs, (await acquire(plain)).waitMs]).toEqual([0, DELAY_MS]);
    });
  });

  describe(`${name}: slots and verdicts`, () => {
    async function paced(): Promise<Bench & { readonly id: string }> {
      const made = await bench();
      const upstreams = UPSTREAMS.slice(0, 1);
      const answer = await made.store.create({ owner: 'me', traits: { pacing: 'client' }, upstreams });
      if (!answer.ok) throw new Error(`Refused with ${answer.code}`);
      return { ...made, id: answer.session.id };
    }
    const book = (sessionId: string) => ({ owner: 'me', sessionId, target: request().target, upstreams: UPSTREAMS });

    test('slots are booked one delay apart and count as uses', async () => {
      const { store, id } = await paced();
      expect(await store.book(book(id))).toMatchObject({ ok: true, startsInMs: 0, nextUseInMs: DELAY_MS });
      expect(await store.book(book(id))).toMatchObject({ ok: true, startsInMs: DELAY_MS, outgoingIp: '127.0.0.2' });
      expect(await store.get('me', id)).toMatchObject({ uses: 2 });
    });

    test('requests under a started slot are not held and move no clock', async () => {
      const { store, id, acquire } = await paced();
      await store.book(book(id));
      for (let index = 0; index < 3; index += 1) {
        expect(await acquire({ session: { kind: 'id', id } })).toMatchObject({ waitMs: 0, delayMs: 0 });
      }
      expect(await store.get('me', id)).toMatchObject({ uses: 1, unbookedUses: 0, nextUseInMs: DELAY_MS });
    });

    test('a request without a slot is let through, counted, and moves the clock', async () => {
      const { store, id, acquire } = await paced();
      const uses = [await acquire({ session: { kind: 'id', id } }), await acquire({ session: { kind: 'id', id } })];
      expect(uses.map(({ waitMs }) => waitMs)).toEqual([0, 0]);
      expect(await store.get('me', id)).toMatchObject({ uses: 2, unbookedUses: 2, nextUseInMs: 2 * DELAY_MS });
    });

    test('a slot can be given back before its start, and followers move up', async () => {
      const { store, id, clock } = await paced();
      const slots = [await store.book(book(id)), await store.book(book(id)), await store.book(book(id))];
      const tickets = slots.map((slot) => (slot.ok ? slot.ticket : ''));
      expect(await store.cancel(tickets[0] ?? '')).toBe(false);
      expect(await store.cancel(tickets[1] ?? '')).toBe(true);
      expect(await store.cancel(tickets[1] ?? '')).toBe(false);
      expect(await store.get('me', id)).toMatchObject({ uses: 2, nextUseInMs: 2 * DELAY_MS });
      clock.advance(DELAY_MS);
      expect(await store.cancel(tickets[2] ?? '')).toBe(false);
    });

    test('a booked slot keeps the session alive until 30 minutes after its start', async () => {
      const { store, id, clock } = await paced();
      for (let index = 0; index < 11; index += 1) await store.book(book(id));
      clock.advance(31 * MINUTE);
      expect(await store.get('me', id)).toBeDefined();
      clock.advance(MINUTE);
      expect(await store.get('me', id)).toBeUndefined();
    });

    test('past the longest hold, and for an unknown session, none is booked', async () => {
      const { store, id } = await paced();
      for (let index = 0; index < 76; index += 1) await store.book(book(id));
      expect(await store.book(book(id))).toMatchObject({ ok: false, code: 'serverbusy', retryAfterMs: 912_000 });
      expect(await store.book(book('404'))).toMatchObject({ ok: false, code: 'bad_session_id' });
    });

    test('a ban keeps the IP from that site for that owner, until it has cooled', async () => {
      const { store, id, acquire, clock } = await paced();
      const verdict = { owner: 'me', sessionId: id, site: 'example.com', verdict: 'banned' } as const;
      expect(await store.reportVerdict({ ...verdict, verdict: 'good' })).toBe(true);
      expect(await store.reportVerdict({ ...verdict, sessionId: '404' })).toBe(false);
      await acquire({ session: { kind: 'id', id } });
      expect(await store.reportVerdict(verdict)).toBe(true);
      const banned = { ok: false, code: 'banned', retryAfterMs: 10 * MINUTE };
      expect(await store.acquire(request({ session: { kind: 'id', id } }))).toMatchObject(banned);
      expect(await store.book(book(id))).toMatchObject(banned);
      const upstreams = UPSTREAMS.slice(0, 1);
      expect(await store.acquire(request({ session: undefined, upstreams }))).toMatchObject(banned);
      expect((await acquire({ session: undefined })).outgoingIp).toBe('127.0.0.3');
      await acquire({ session: { kind: 'id', id }, target: { host: 'other.example', site: 'other.example' } });
      await acquire({ owner: 'you', session: undefined, upstreams });
      clock.advance(10 * MINUTE);
      await acquire({ session: { kind: 'id', id } });
    });
  });
  describe(`${name}: bans`, () => {
    const BANNED = { ...DONE, result: 'banned' } as const;
    const atOnce = { delays: { ...SETTINGS.delays, defaultMs: 0 } };

    /** A session that was used once, and banned at its second use. */
    async function banned(settings: Partial<RuleSettings> = {}) {
      const made = await bench({ ...atOnce, ...settings });
      const id = await made.create();
      await made.use(id);
      const asked = request({ session: { kind: 'id', id } });
      await made.store.release((await made.acquire(asked)).ticket, BANNED);
      return { ...made, id, asked };
    }

    test('a banned session says so at every use, is listed as it is, and can be deleted', async () => {
      const { store, asked, id, acquire } = await banned();
      const other = { ...asked, target: { host: 'other.example', site: 'other.example' } };
      expect(await store.acquire(asked)).toMatchObject({ ok: false, code: 'banned', retryAfterMs: 10 * MINUTE });
      expect(await store.acquire(other)).toMatchObject({ ok: false, code: 'banned', retryAfterMs: 30 * MINUTE });
      expect(await store.get('me', id)).toMatchObject({ isBanned: true, uses: 2 });
      expect((await acquire({ session: undefined })).outgoingIp).toBe('127.0.0.3');
      expect(await store.remove('me', id)).toBe(true);
    });

    test('refused uses do not keep it: it ends 30 minutes after its last one', async () => {
      const { store, asked, clock } = await banned();
      for (let index = 0; index < 30; index += 1) {
        expect(await store.acquire(asked)).toMatchObject({ code: 'banned' });
        clock.advance(MINUTE);
      }
      expect(await store.acquire(asked)).toMatchObject({ code: 'bad_session_id' });
    });

    test('it ends at once where banned sessions are dropped', async () => {
      const { store, asked, events } = await banned({ sessions: { ...SETTINGS.sessions, onBan: 'drop' } });
      expect(events.at(-1)).toMatchObject({ type: 'session.ended', reason: 'banned' });
      expect(await store.acquire(asked)).toMatchObject({ code: 'bad_session_id' });
    });

    test('a session made for the use that was banned is not kept', async () => {
      const { store, acquire } = await bench(atOnce);
      await store.release((await acquire()).ticket, BANNED);
      expect((await store.list({ owner: 'me', limit: 10 })).sessions).toEqual([]);
      expect((await acquire()).outgoingIp).toBe('127.0.0.3');
    });

    test('without a session the IP is kept from that site, for that owner', async () => {
      const { store, acquire } = await bench(atOnce);
      const first = await acquire({ session: undefined });
      await store.release(first.ticket, BANNED);
      const next = await acquire({ session: undefined });
      expect(next.outgoingIp).not.toBe(first.outgoingIp);
      await store.release(next.ticket, BANNED);
      expect(await store.acquire(request({ session: undefined }))).toMatchObject({ code: 'banned' });
      expect(await store.acquire(request({ session: undefined, owner: 'you' }))).toMatchObject({ ok: true });
    });

    test('what a session was made for may try again in it, and it goes with the last try that fails', async () => {
      for (const last of [BANNED, FAILED, 'refused', 'cancelled'] as const) {
        const { store, acquire, events } = await bench({ delays: { ...SETTINGS.delays, maxHoldMs: 1.5 * DELAY_MS } });
        const { ticket, session } = await acquire({ upstreams: UPSTREAMS.slice(0, 1) });
        await store.release(ticket, { ...DONE, result: 'retried' });
        const again = request({ session: { kind: 'id', id: session?.id ?? '' } });
        if (last === 'refused') {
          const upstreams = UPSTREAMS.slice(0, 1);
          await acquire({ session: undefined, upstreams });
          expect(await store.acquire(again)).toMatchObject({ code: 'serverbusy' });
        } else {
          const second = await acquire(again);
          expect(second).toMatchObject({ session: { created: false }, outgoingIp: '127.0.0.2' });
          if (last === 'cancelled') await store.cancel(second.ticket);
          else await store.release(second.ticket, last);
        }
        expect((await store.list({ owner: 'me', limit: 10 })).sessions).toEqual([]);
        expect(events.map(({ type }) => type).filter((type) => type !== 'moved')).toEqual([
          'session.created',
          'session.ended',
        ]);
      }
    });

    test('a session that had an answer in one of its uses stays, whichever of them failed', async () => {
      const { store, acquire } = await bench(atOnce);
      const named = { session: { kind: 'name', name: 'shop' } } as const;
      const uses = [await acquire(named), await acquire(named), await acquire(named)];
      for (const [index, outcome] of [FAILED, DONE, FAILED].entries()) {
        await store.release(uses[index]?.ticket ?? '', outcome);
      }
      expect((await store.list({ owner: 'me', limit: 10 })).sessions).toHaveLength(1);
    });

    test('a use that waits is told of a ban that came meanwhile', async () => {
      const { store, acquire, create, clock } = await bench();
      const id = await create();
      const first = await acquire({ session: { kind: 'id', id } });
      const held = await acquire({ session: { kind: 'id', id } });
      const elsewhere = { host: 'other.example', site: 'other.example' };
      const heldElsewhere = await acquire({ session: { kind: 'id', id }, target: elsewhere });
      const upstreams = UPSTREAMS.slice(0, 1);
      const rotating = await acquire({ session: undefined, upstreams });
      const rotatingElsewhere = await acquire({ session: undefined, upstreams, target: elsewhere });
      expect(await store.refusalOf(held.ticket)).toBeUndefined();
      await store.release(first.ticket, BANNED);
      clock.advance(MINUTE);
      const told = await Promise.all(
        [held, heldElsewhere, rotating, rotatingElsewhere].map(({ ticket }) => store.refusalOf(ticket)),
      );
      expect(told.map((refusal) => refusal?.retryAfterMs)).toEqual([9 * MINUTE, 0, 9 * MINUTE, undefined]);
      expect(await store.refusalOf(first.ticket)).toBeUndefined();
    });

    test('whether its answers are judged is told with the use', async () => {
      const { acquire } = await bench(atOnce);
      expect((await acquire()).session).toMatchObject({ bancheck: true });
      expect((await acquire({ traits: { bancheck: false } })).session).toMatchObject({ bancheck: false });
    });
  });

  describe(`${name}: IDs that clients choose`, () => {
    const session = { kind: 'chosen', id: '7f2c0c7e-62a5-4d5e-9d39-2a2b8c6d5b11' } as const;

    test('an unseen one makes a session, which belongs to its owner', async () => {
      const { acquire, store } = await bench();
      const first = await acquire({ session });
      await store.release(first.ticket, DONE);
      expect(first.session).toMatchObject({ created: true });
      expect((await acquire({ session })).session).toEqual({ ...first.session, created: false });
      expect((await acquire({ session, owner: 'you' })).session).toMatchObject({ created: true });
    });

    test('one whose session ended is bad_session_id for ten minutes', async () => {
      const { acquire, store, clock } = await bench();
      await store.release((await acquire({ session })).ticket, DONE);
      clock.advance(2 * MINUTE);
      expect(await store.acquire(request({ session }))).toMatchObject({ ok: false, code: 'bad_session_id' });
      clock.advance(10 * MINUTE);
      expect((await acquire({ session })).session).toMatchObject({ created: true });
    });

    test('that is counted from its end, whenever somebody notices', async () => {
      const { acquire, store, clock } = await bench();
      await store.release((await acquire({ session })).ticket, DONE);
      clock.advance(12 * MINUTE);
      expect((await acquire({ session })).session).toMatchObject({ created: true });
    });

    test('one whose first use got no answer may be tried again at once', async () => {
      const { acquire, store } = await bench();
      await store.release((await acquire({ session })).ticket, FAILED);
      expect((await acquire({ session })).session).toMatchObject({ created: true });
    });
  });
}
