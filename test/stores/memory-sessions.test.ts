// That sessions end when the rules say so, in the order of their ends, although their places in that order are put right
// late.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expiresAtMs, openRequest, settleRequest } from '../../src/sessions/session.js';
import { type KeptSession, MemorySessions } from '../../src/stores/memory-sessions.js';
import { MINUTE, SETTINGS } from './store-setting.js';

const LEAVING = { upstreamId: 'u', exit: undefined, outgoingIp: '127.0.0.2', word: 'u' };

interface Ended {
  readonly id: string;
  readonly endedAtMs: number;
}

function manySessions(): { readonly sessions: MemorySessions; readonly ended: Ended[] } {
  const ended: Ended[] = [];
  let lastId = 0;
  const sessions = new MemorySessions({
    settings: SETTINGS.sessions,
    newId: () => String((lastId += 1)),
    onExpired: ({ id }, endedAtMs) => void ended.push({ id, endedAtMs }),
  });
  return { sessions, ended };
}

function add(sessions: MemorySessions, nowMs: number, isChosen = false): KeptSession {
  return sessions.add({ id: sessions.freeId(), owner: 'me', traits: {}, isChosen, leaving: LEAVING }, nowMs);
}

const step = fc.record({
  kind: fc.constantFrom('add', 'choose', 'open', 'settle', 'giveUp', 'book', 'cancel', 'remove', 'pass'),
  which: fc.nat(),
  byMs: fc.integer({ min: 0, max: 20 * MINUTE }),
});

test('after any history those end that are over, the earliest first, and each at its own end', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { sessions, ended } = manySessions();
      const model = new Set<KeptSession>();
      let nowMs = 0;
      for (const { kind, which, byMs } of steps) {
        const session = [...model][which % Math.max(1, model.size)];
        if (kind === 'add' || kind === 'choose') model.add(add(sessions, nowMs, kind === 'choose'));
        if (kind === 'pass') nowMs += byMs;
        if (session !== undefined) {
          if (kind === 'open') openRequest(session, 'example.com');
          if (kind === 'settle' && session.openUses > 0) settleRequest(session, nowMs);
          if (kind === 'giveUp' && session.openUses > 0) settleRequest(session, undefined);
          if (kind === 'book') session.slots = [{ id: '', clock: LEAVE, place: placeAt(nowMs + byMs) }];
          if (kind === 'cancel') session.slots = undefined;
          if (kind === 'remove') {
            expect(sessions.remove(session)).toBe(true);
            model.delete(session);
            expect(sessions.endOf(session)).toBe(Infinity);
          }
          sessions.reorder(session);
        }
        const over = [...model].filter((one) => expiresAtMs(one, SETTINGS.sessions) <= nowMs);
        const ends = over.map((one) => expiresAtMs(one, SETTINGS.sessions)).toSorted((a, b) => a - b);
        sessions.dropExpired(nowMs);
        expect(ended.map(({ endedAtMs }) => endedAtMs)).toEqual(ends);
        expect(new Set(ended.map(({ id }) => id))).toEqual(new Set(over.map(({ id }) => id)));
        for (const one of over) model.delete(one);
        ended.length = 0;
        for (const one of model) expect(sessions.endOf(one)).toBe(expiresAtMs(one, SETTINGS.sessions));
        expect([...sessions.after('me', 0, nowMs)]).toEqual([...model]);
      }
    }),
    { numRuns: 50 },
  );
});

const LEAVE = { outgoingIp: '127.0.0.2', site: 'example.com' };

function placeAt(startsAtMs: number): { startsAtMs: number; sharers: number; delayMs: number } {
  return { startsAtMs, sharers: 1, delayMs: 0 };
}

test('thousands that were used since are put right bit by bit, and none of them ends early or is told twice', () => {
  const { sessions, ended } = manySessions();
  const many = Array.from({ length: 3000 }, () => add(sessions, 0));
  for (const session of many) {
    openRequest(session, 'example.com');
    settleRequest(session, MINUTE);
    sessions.reorder(session);
  }
  const unused = add(sessions, 1);
  const endsAtMs = sessions.endOf(unused);
  for (let call = 0; call < 2; call += 1) sessions.dropExpired(endsAtMs);
  expect(ended).toEqual([]);
  expect(sessions.find('me', unused.id, endsAtMs)).toBeUndefined();
  for (let call = 0; call < 20; call += 1) sessions.dropExpired(endsAtMs);
  expect(ended).toEqual([{ id: unused.id, endedAtMs: endsAtMs }]);
  for (let call = 0; call < 20; call += 1) sessions.dropExpired(endsAtMs + MINUTE);
  expect(ended.length).toBe(3001);
  expect(sessions.countOf('me')).toBe(0);
});

test('a session whose end moves back to a time that has passed ends at once', () => {
  const { sessions, ended } = manySessions();
  const session = add(sessions, 0);
  const endsAtMs = sessions.endOf(session);
  session.slots = [{ id: '', clock: LEAVE, place: placeAt(10 * MINUTE) }];
  sessions.reorder(session);
  sessions.dropExpired(endsAtMs);
  expect(ended).toEqual([]);
  session.slots = undefined;
  sessions.reorder(session);
  sessions.dropExpired(endsAtMs);
  expect(ended).toEqual([{ id: session.id, endedAtMs: endsAtMs }]);
});
