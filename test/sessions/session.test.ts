import { describe, expect, test } from 'vitest';
import {
  createSession,
  dropSpentSlots,
  expiresAtMs,
  isCoveredBySlot,
  openRequest,
  type Session,
  settleRequest,
  type Slot,
} from '../../src/sessions/session.js';

const PIN = { upstreamId: 'u', exit: undefined, outgoingIp: '127.0.0.2', word: 'u' };
const MINUTE = 60_000;
const life = { ttlMs: 30 * MINUTE, chosen: { lifeMs: 15 * MINUTE, idleMs: 2 * MINUTE } };

function session({ isChosen = false } = {}): Session {
  return createSession({ id: '1', owner: 'o', pin: PIN, traits: {}, isChosen }, 0);
}

function slot(startsAtMs: number): Slot {
  return {
    id: String(startsAtMs),
    clock: { outgoingIp: '127.0.0.2', site: 'example.com' },
    place: { startsAtMs, delayMs: 1, sharers: 1 },
  };
}

describe('a session ends', () => {
  test('30 minutes after its creation if it is never used', () => {
    expect(expiresAtMs(session(), life)).toBe(30 * MINUTE);
  });

  test('never while a use is held or running', () => {
    const used = session();
    openRequest(used, 'k');
    expect(expiresAtMs(used, life)).toBe(Infinity);
  });

  test('30 minutes after the start of its last use, whenever that is settled', () => {
    const used = session();
    openRequest(used, 'k');
    openRequest(used, 'k');
    settleRequest(used, 5 * MINUTE);
    expect(expiresAtMs(used, life)).toBe(Infinity);
    settleRequest(used, 2 * MINUTE);
    expect(expiresAtMs(used, life)).toBe(35 * MINUTE);
  });

  test('no later for a request that was given up before its start', () => {
    const used = session();
    openRequest(used, 'k');
    settleRequest(used, undefined);
    expect(expiresAtMs(used, life)).toBe(30 * MINUTE);
  });

  test('30 minutes after the latest slot it has booked', () => {
    const used = session();
    used.slots = [slot(15 * MINUTE), slot(10 * MINUTE)];
    expect(expiresAtMs(used, life)).toBe(45 * MINUTE);
  });

  for (const [name, lastUsedAtMs, endsAtMs] of [
    ['2 minutes after its creation', 0, 2 * MINUTE],
    ['2 minutes after its last use', 10 * MINUTE, 12 * MINUTE],
    ['15 minutes after its creation, however much it is used', 14 * MINUTE, 15 * MINUTE],
  ] as const) {
    test(`${name}, where its client chose its ID`, () => {
      const chosen = session({ isChosen: true });
      chosen.lastUsedAtMs = lastUsedAtMs;
      expect(expiresAtMs(chosen, life)).toBe(endsAtMs);
    });
  }
});

describe('a slot covers requests', () => {
  for (const [name, atMs, covers] of [
    ['not before its start', 9 * MINUTE, false],
    ['from its start', 10 * MINUTE, true],
    ['for two minutes', 12 * MINUTE, true],
    ['and no longer', 12 * MINUTE + 1, false],
  ] as const) {
    test(name, () => {
      const paced = session();
      paced.slots = [slot(10 * MINUTE)];
      expect(isCoveredBySlot(paced, atMs)).toBe(covers);
    });
  }

  test('and none does where none was booked', () => expect(isCoveredBySlot(session(), 0)).toBe(false));
});

describe('slots that cover nothing any more', () => {
  test('are forgotten, and the latest of them was the last use', () => {
    const paced = session();
    paced.slots = [slot(1 * MINUTE), slot(2 * MINUTE), slot(8 * MINUTE)];
    dropSpentSlots(paced, 9 * MINUTE);
    expect(paced.slots.map(({ id }) => id)).toEqual([String(8 * MINUTE)]);
    expect(paced.lastUsedAtMs).toBe(2 * MINUTE);
  });

  test('are not there in a session that never booked one', () => {
    const plain = session();
    dropSpentSlots(plain, MINUTE);
    expect(plain.slots).toBeUndefined();
  });
});

describe('what hardly any session has', () => {
  for (const [name, none, some] of [
    ['unbookedUses', 0, 2],
    ['toldIp', undefined, '127.0.0.3'],
    ['slots', undefined, [slot(MINUTE)]],
    ['tunnelUses', undefined, new Map()],
    ['tunnels', undefined, [{ target: 'example.com:443', open: 1, closedAtMs: 0 }]],
  ] as const) {
    test(`is its own where it is set: ${name}`, () => {
      const [one, other] = [session(), session()];
      expect(one[name]).toBe(none);
      Object.assign(one, { [name]: some });
      expect(one[name]).toBe(some);
      expect(other[name]).toBe(none);
      Object.assign(one, { [name]: none });
      expect(one[name]).toBe(none);
    });
  }

  test('stays what it is when another of them is set or taken away', () => {
    const one = session();
    one.toldIp = '127.0.0.3';
    one.unbookedUses += 1;
    one.slots = undefined;
    expect([one.toldIp, one.unbookedUses, one.tunnels]).toEqual(['127.0.0.3', 1, undefined]);
  });
});
