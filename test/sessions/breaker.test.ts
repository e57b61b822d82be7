import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  abandonTrial,
  admit,
  beginTrial,
  BREAKER_SETTINGS as SETTINGS,
  type Breaker,
  CLOSED,
  countFailure,
  retryAfterMs,
  WEIGHT,
} from '../../src/sessions/breaker.js';

const NOW_MS = 1_000_000;
const MIDDLE = 0.5;

function fail(breaker: Breaker, over: Partial<Parameters<typeof countFailure>[1]> = {}): Breaker {
  return countFailure(
    breaker,
    { weight: WEIGHT.soft, isDoubt: false, nowMs: NOW_MS, random: MIDDLE, ...over },
    SETTINGS,
  );
}

/** Fails with these weights in a row. */
function after(weights: readonly number[]): Breaker {
  return weights.reduce((breaker, weight) => fail(breaker, { weight }), CLOSED);
}

const { soft, hard } = WEIGHT;

describe('an upstream is in use after', () => {
  for (const [name, weights, phase] of [
    ['nothing', [], 'closed'],
    ['four soft failures', [soft, soft, soft, soft], 'closed'],
    ['two hard failures', [hard, hard], 'closed'],
    ['one hard and three soft ones', [hard, soft, soft, soft], 'closed'],
  ] as const) {
    test(name, () => expect(after(weights).phase).toBe(phase));
  }
});

describe('an upstream is left alone after', () => {
  for (const [name, weights] of [
    ['five soft failures', [soft, soft, soft, soft, soft]],
    ['three hard failures', [hard, hard, hard]],
    ['two hard and two soft ones', [hard, soft, hard, soft]],
  ] as const) {
    test(name, () => {
      expect(after(weights)).toEqual({ phase: 'open', weight: 0, openings: 1, retryAtMs: NOW_MS + 1_000 });
    });
  }
});

describe('the pause after opening number', () => {
  for (const [opening, random, pause] of [
    [1, MIDDLE, 1_000],
    [2, MIDDLE, 2_000],
    [3, MIDDLE, 4_000],
    [7, MIDDLE, 64_000],
    [8, MIDDLE, 120_000],
    [50, MIDDLE, 120_000],
    [1, 0, 750],
    [1, 0.999_999, 1_250],
    [8, 0, 90_000],
    [8, 0.999_999, 150_000],
  ] as const) {
    test(`${opening} is ${pause} ms at a random number of ${random}`, () => {
      let breaker = { ...after([hard, hard, hard]), openings: opening - 1 };
      breaker = fail(beginTrial(breaker), { random });
      expect(breaker.retryAtMs - NOW_MS).toBe(pause);
    });
  }
});

describe('an open breaker', () => {
  const open = after([hard, hard, hard]);

  for (const [name, atMs, admitted, waitMs] of [
    ['lets nothing through at once', 0, 'not now', 1_000],
    ['lets nothing through before the pause is over', 999, 'not now', 1],
    ['lets a trial through when it is over', 1_000, 'as trial', 0],
    ['still does later', 60_000, 'as trial', 0],
  ] as const) {
    test(name, () => {
      expect(admit(open, NOW_MS + atMs)).toBe(admitted);
      expect(retryAfterMs(open, NOW_MS + atMs, SETTINGS)).toBe(waitMs);
    });
  }

  test('lets nothing else through while the trial runs', () => {
    const trial = beginTrial(open);
    expect(admit(trial, NOW_MS + 60_000)).toBe('not now');
    expect(retryAfterMs(trial, NOW_MS + 60_000, SETTINGS)).toBe(SETTINGS.firstPauseMs);
  });

  test('is not kept open longer by uses that had begun before', () => {
    expect(fail(open, { nowMs: NOW_MS + 900 })).toEqual(open);
  });

  test('opens again after one failed trial, for twice as long', () => {
    const again = fail(beginTrial(open), { nowMs: NOW_MS + 1_000 });
    expect(again).toEqual({ phase: 'open', weight: 0, openings: 2, retryAtMs: NOW_MS + 3_000 });
  });

  test('opens for no longer than before where the trial left it in doubt', () => {
    const again = fail(beginTrial(open), { nowMs: NOW_MS + 1_000, isDoubt: true });
    expect(again).toEqual({ phase: 'open', weight: 0, openings: 1, retryAtMs: NOW_MS + 2_000 });
  });

  test('gives the trial to the next use where nothing was learned of it', () => {
    expect(admit(abandonTrial(beginTrial(open), NOW_MS + 1_500), NOW_MS + 1_500)).toBe('as trial');
  });

  test('is not touched by the end of a trial that another outcome has ended', () => {
    expect(abandonTrial(CLOSED, NOW_MS)).toBe(CLOSED);
    expect(abandonTrial(open, NOW_MS)).toBe(open);
  });
});

test('whatever the failures and random numbers: pauses stay in bounds, and one at a time is let through', () => {
  const failures = fc.array(
    fc.record({
      weight: fc.constantFrom(soft, hard),
      isDoubt: fc.boolean(),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(failures, (list) => {
      let breaker = CLOSED;
      let nowMs = NOW_MS;
      for (const failure of list) {
        if (breaker.phase === 'open') {
          expect(admit(breaker, breaker.retryAtMs - 1)).toBe('not now');
          nowMs = breaker.retryAtMs;
          expect(admit(breaker, nowMs)).toBe('as trial');
          breaker = beginTrial(breaker);
          expect(admit(breaker, nowMs)).toBe('not now');
        }
        const before = breaker;
        breaker = countFailure(breaker, { ...failure, nowMs }, SETTINGS);
        if (before.phase === 'trial') expect(breaker.phase).toBe('open');
        if (breaker.phase === 'closed') expect(breaker.weight).toBeLessThan(SETTINGS.limit);
        else {
          expect(breaker.retryAtMs - nowMs).toBeGreaterThanOrEqual(SETTINGS.firstPauseMs * 0.75);
          expect(breaker.retryAtMs - nowMs).toBeLessThanOrEqual(SETTINGS.maxPauseMs * 1.25);
        }
      }
    }),
  );
});
