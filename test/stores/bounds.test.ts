// What the parts of the memory store do at their bounds, and that no history loses or leaks a session.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/stores/clock.js';
import { Cooldowns, MAX_COOLDOWNS } from '../../src/stores/cooldowns.js';
import { createMemoryStore } from '../../src/stores/memory-store.js';
import { MAX_SLOTS } from '../../src/stores/memory-slots.js';
import { Pins } from '../../src/stores/pins.js';
import { Rosters } from '../../src/stores/roster.js';
import { newSessionId } from '../../src/stores/session-id.js';
import { FakeClock } from '../support/fake-clock.js';
import { MINUTE, request, SETTINGS, UPSTREAMS } from './store-setting.js';

test('the clock tells whole epoch milliseconds', () => {
  expect(Number.isInteger(systemClock.nowMs())).toBe(true);
  expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(5000);
});

test('session IDs are decimal, short enough for a double, and differ', () => {
  const ids = Array.from({ length: 1000 }, () => newSessionId());
  for (const id of ids) expect(id).toMatch(/^[1-9]\d{14}$/);
  expect(new Set(ids).size).toBe(ids.length);
});

test('an ID that lives is not given again', async () => {
  const ids = ['1', '1', '1', '2'];
  const store = createMemoryStore({ clock: new FakeClock(), settings: SETTINGS, newId: () => ids.shift() ?? '' });
  const made = [await store.create(request()), await store.create(request())];
  expect(made.map((answer) => answer.ok && answer.session.id)).toEqual(['1', '2']);
});

test('cool-downs are bounded: the oldest is forgotten', () => {
  const cooldowns = new Cooldowns(MINUTE);
  for (let index = 0; index <= MAX_COOLDOWNS; index += 1) cooldowns.start('me', '127.0.0.2', `site${index}`, 0);
  expect(cooldowns.leftMs('me', '127.0.0.2', 'site0', 0)).toBe(0);
  expect(cooldowns.leftMs('me', '127.0.0.2', 'site1', 0)).toBe(MINUTE);
});

test('upstreams that left are forgotten in the end, and sessions are still counted', () => {
  const pins = new Pins();
  const rosters = new Rosters(pins);
  const pin = pins.take({ upstreamId: 'kept', exit: undefined, outgoingIp: 'kept', word: 'kept' });
  const list = [{ id: 'kept', outgoingIp: 'kept' }];
  expect(rosters.of(list)).toBe(rosters.of(list));
  for (let index = 0; index < 25_000; index += 1) rosters.of([{ id: `u${index}`, outgoingIp: `u${index}` }]);
  expect(pins.size).toBeLessThan(25_000);
  expect(rosters.outgoingIpOf('u0')).toBeUndefined();
  expect(rosters.of(list).standings[0]?.tally.sessions).toBe(1);
  pins.drop(pin);
  expect(rosters.of(list).standings[0]?.tally.sessions).toBe(0);
});

test('slots of a session are bounded', async () => {
  const settings = { ...SETTINGS, delays: { ...SETTINGS.delays, defaultMs: 0 } };
  const store = createMemoryStore({ clock: new FakeClock(), settings, newId: newSessionId });
  const made = await store.create({ ...request(), traits: { pacing: 'client' } });
  const sessionId = made.ok ? made.session.id : '';
  const book = () => store.book({ owner: 'me', sessionId, target: request().target, upstreams: UPSTREAMS });
  for (let index = 0; index < MAX_SLOTS; index += 1) expect(await book()).toMatchObject({ ok: true });
  expect(await book()).toMatchObject({ ok: false, code: 'serverbusy' });
});

test('thousands that expire at once are gone at once, though they are cleared away bit by bit', async () => {
  const clock = new FakeClock();
  const settings = { ...SETTINGS, sessions: { ...SETTINGS.sessions, max: 2000 } };
  const store = createMemoryStore({ clock, settings, newId: newSessionId });
  const made = [];
  for (let index = 0; index < 2000; index += 1) made.push(await store.create(request()));
  clock.advance(30 * MINUTE);
  const one = made[100];
  expect(one?.ok && (await store.get('me', one.session.id))).toBeUndefined();
  expect(await store.list({ owner: 'me', limit: 10 })).toEqual({ sessions: [], after: undefined });
  for (let index = 0; index < 2000; index += 1) expect(await store.create(request())).toMatchObject({ ok: true });
  expect(await store.create(request())).toMatchObject({ code: 'user_session_limit' });
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('create' as const) }),
  fc.record({ kind: fc.constant('acquire' as const), which: fc.nat(), how: fc.constantFrom('create', 'id', 'name') }),
  fc.record({
    kind: fc.constant('settle' as const),
    which: fc.nat(),
    how: fc.constantFrom('answered', 'failed', 'cancel'),
  }),
  fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('pass' as const), byMs: fc.integer({ min: 0, max: 20 * MINUTE }) }),
);

test('no session is lost or leaked: the list is what was created less what has ended', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const clock = new FakeClock();
      let lastId = 0;
      const store = createMemoryStore({ clock, settings: SETTINGS, newId: () => String((lastId += 1)) });
      const living = new Set<string>();
      store.subscribe((event) => {
        if (event.type === 'session.created') living.add(event.sessionId);
        if (event.type === 'session.ended') expect(living.delete(event.sessionId)).toBe(true);
      });
      const tickets: string[] = [];
      for (const action of steps) {
        const ids = [...living];
        if (action.kind === 'pass') clock.advance(action.byMs);
        if (action.kind === 'create') await store.create(request());
        if (action.kind === 'remove') await store.remove('me', ids[action.which % Math.max(1, ids.length)] ?? '');
        if (action.kind === 'acquire') {
          const id = ids[action.which % Math.max(1, ids.length)] ?? '404';
          const refs = {
            create: { kind: 'create' },
            id: { kind: 'id', id },
            name: { kind: 'name', name: 'n' },
          } as const;
          const answer = await store.acquire(request({ session: refs[action.how] }));
          if (answer.ok) tickets.push(answer.ticket);
        }
        if (action.kind === 'settle') {
          const [ticket] = tickets.splice(action.which % Math.max(1, tickets.length), 1);
          if (action.how === 'cancel') await store.cancel(ticket ?? '');
          else await store.release(ticket ?? '', { result: action.how, bytesIn: 0, bytesOut: 0 });
        }
        const listed = (await store.list({ owner: 'me', limit: 100 })).sessions.map(({ id }) => id);
        expect(new Set(listed)).toEqual(living);
        expect(listed.length).toBeLessThanOrEqual(SETTINGS.sessions.max);
      }
      for (const ticket of tickets) await store.release(ticket, { result: 'answered', bytesIn: 0, bytesOut: 0 });
      clock.advance(60 * MINUTE);
      expect(await store.list({ owner: 'me', limit: 100 })).toEqual({ sessions: [], after: undefined });
      expect(living.size).toBe(0);
    }),
  );
});
