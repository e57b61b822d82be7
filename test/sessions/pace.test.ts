import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bookPlace,
  cancelPlace,
  createPace,
  followClock,
  isDrained,
  moveClock,
  type Pace,
  type Place,
} from '../../src/sessions/pace.js';

const SECOND = 1000;
const strict = { softLimitMs: 120 * SECOND, maxHoldMs: 900 * SECOND, hardLimitMs: 1000 * SECOND, refusedRaise: true };

/** Sends request after request at fixed distances, and tells of each what it got. */
function sendSteadily({ everyMs, count, delayMs = 12 * SECOND, limits = strict }: SteadyClient) {
  const pace = createPace();
  return Array.from({ length: count }, (_, index) => {
    const nowMs = index * everyMs;
    return { nowMs, ...bookPlace(pace, { nowMs, delayMs }, limits) };
  });
}

interface SteadyClient {
  readonly everyMs: number;
  readonly count: number;
  readonly delayMs?: number;
  readonly limits?: typeof strict;
}

describe('a burst of requests through one outgoing IP, 12 s apart', () => {
  const burst = sendSteadily({ everyMs: 0, count: 100 });

  for (const [name, request, waitSeconds, told, admitted] of [
    ['the first starts at once', 1, 0, false, true],
    ['the second waits 12 s', 2, 12, false, true],
    ['the tenth is not told its delay', 10, 108, false, true],
    ['the eleventh is the first at 120 s, and is told', 11, 120, true, true],
    ['the 76th waits 900 s and is the last one admitted', 76, 900, true, true],
    ['the 77th is refused, and told', 77, 912, true, false],
    ['the 85th is refused at the hard limit', 85, 1000, true, false],
    ['the calculated delay stays at the hard limit', 100, 1000, true, false],
  ] as const) {
    test(name, () => {
      const answer = burst[request - 1];
      expect(answer?.waitMs).toBe(waitSeconds * SECOND);
      expect(answer?.nextRequestInMs).toBe(told ? waitSeconds * SECOND : undefined);
      expect(answer?.place !== undefined).toBe(admitted);
    });
  }
});

describe('with only the hard limit', () => {
  test('request 85 of a burst would be the first refused', () => {
    const answers = sendSteadily({ everyMs: 0, count: 100, limits: { ...strict, maxHoldMs: 1000 * SECOND - 1 } });
    expect(answers.findIndex(({ place }) => place === undefined) + 1).toBe(85);
  });
});

describe('a steady client', () => {
  for (const [everySeconds, firstTold, toldAtSeconds, firstRefused, refusedAtSeconds] of [
    [6, 21, 120, 152, 906],
    [10, 61, 600, 452, 4510],
    [11, 121, 1320, 902, 9911],
  ] as const) {
    test(`at one request per ${everySeconds} s is told from request ${firstTold} and refused from ${firstRefused}`, () => {
      const answers = sendSteadily({ everyMs: everySeconds * SECOND, count: 1000 });
      const told = answers.findIndex(({ nextRequestInMs }) => nextRequestInMs !== undefined);
      const refused = answers.findIndex(({ place }) => place === undefined);
      expect([told + 1, answers[told]?.nowMs]).toEqual([firstTold, toldAtSeconds * SECOND]);
      expect([refused + 1, answers[refused]?.nowMs]).toEqual([firstRefused, refusedAtSeconds * SECOND]);
    });
  }

  test('at one request per 12 s is never held, told or refused', () => {
    for (const answer of sendSteadily({ everyMs: 12 * SECOND, count: 1000 })) {
      expect(answer).toMatchObject({ waitMs: 0, nextRequestInMs: undefined });
      expect(answer.place).toBeDefined();
    }
  });
});

describe('the soft limit latches', () => {
  const delayMs = 12 * SECOND;
  const pace = createPace();
  for (let index = 0; index < 11; index += 1) bookPlace(pace, { nowMs: 0, delayMs }, strict);

  test('a shorter delay is still told while the clock drains', () => {
    expect(bookPlace(pace, { nowMs: 100 * SECOND, delayMs }, strict)).toMatchObject({
      waitMs: 32 * SECOND,
      nextRequestInMs: 32 * SECOND,
    });
  });

  test('and no longer once it has drained', () => {
    expect(bookPlace(pace, { nowMs: 144 * SECOND, delayMs }, strict).nextRequestInMs).toBeUndefined();
    expect(bookPlace(pace, { nowMs: 145 * SECOND, delayMs }, strict).nextRequestInMs).toBeUndefined();
  });
});

describe('refused requests', () => {
  for (const [refusedRaise, waitMs] of [
    [true, 924 * SECOND],
    [false, 912 * SECOND],
  ] as const) {
    test(`${refusedRaise ? 'raise' : 'do not raise'} the delay of the next with refusedRaise ${refusedRaise}`, () => {
      const answers = sendSteadily({ everyMs: 0, count: 78, limits: { ...strict, refusedRaise } });
      expect(answers.at(-1)).toMatchObject({ place: undefined, waitMs });
    });
  }

  test('a delay longer than the hard limit is kept, though no longer wait is told', () => {
    const pace = createPace();
    bookPlace(pace, { nowMs: 0, delayMs: 2000 * SECOND }, strict);
    expect(bookPlace(pace, { nowMs: 0, delayMs: 2000 * SECOND }, strict).waitMs).toBe(1000 * SECOND);
    expect(bookPlace(pace, { nowMs: 1500 * SECOND, delayMs: 2000 * SECOND }, strict).waitMs).toBe(500 * SECOND);
  });
});

describe('giving up a held place', () => {
  function book(pace: Pace, ...delaysMs: readonly number[]): Place[] {
    return delaysMs.map((delayMs) => bookPlace(pace, { nowMs: 0, delayMs }, strict).place as Place);
  }

  test('moves the ones behind it up by its delay, and the clock', () => {
    const pace = createPace();
    const places = book(pace, 10, 20, 30, 40);
    expect(cancelPlace(pace, places[1] as Place, 5)).toBe(true);
    expect(places.map(({ startsAtMs }) => startsAtMs)).toEqual([0, 10, 10, 40]);
    expect(pace.nextFreeAtMs).toBe(80);
  });

  test('changes nothing once it has started, for the target has seen it', () => {
    const pace = createPace();
    const places = book(pace, 10, 10);
    expect(cancelPlace(pace, places[1] as Place, 10)).toBe(false);
    expect(pace.nextFreeAtMs).toBe(20);
  });

  test('waits for the last of those who share it', () => {
    const pace = createPace();
    const [, held] = book(pace, 10, 10) as [Place, Place];
    held.sharers += 1;
    expect(cancelPlace(pace, held, 0)).toBe(false);
    expect(cancelPlace(pace, held, 0)).toBe(true);
    expect(pace.nextFreeAtMs).toBe(10);
  });
});

test('a use that is not held moves the clock for the ones behind it', () => {
  const pace = createPace();
  moveClock(pace, { nowMs: 100, delayMs: 10 });
  moveClock(pace, { nowMs: 100, delayMs: 10 });
  expect(pace.nextFreeAtMs).toBe(120);
  expect([isDrained(pace, 119), isDrained(pace, 120)]).toEqual([false, true]);
});

describe('whatever comes when', () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('book' as const), delayMs: fc.integer({ min: 0, max: 400 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), byMs: fc.integer({ min: 0, max: 500 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
  );
  const limits = fc
    .record({ softLimitMs: fc.nat(500), maxHoldMs: fc.nat(1000), above: fc.nat(500), refusedRaise: fc.boolean() })
    .map(({ above, ...given }) => ({ ...given, hardLimitMs: given.maxHoldMs + above }));

  test('starts keep their distance, nobody waits too long, and no calculated delay passes the hard limit', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), limits, (steps, given) => {
        const pace = createPace();
        const live = new Set<{ readonly place: Place; readonly bookedAtMs: number }>();
        let nowMs = 0;
        for (const action of steps) {
          if (action.kind === 'pass') nowMs += action.byMs;
          if (action.kind === 'book') {
            const { place, waitMs } = bookPlace(pace, { nowMs, delayMs: action.delayMs }, given);
            expect(waitMs).toBeLessThanOrEqual(given.hardLimitMs);
            if (place !== undefined) live.add({ place, bookedAtMs: nowMs });
          }
          if (action.kind === 'cancel') {
            const held = [...live].filter(({ place }) => place.startsAtMs > nowMs);
            const chosen = held[action.which % Math.max(1, held.length)];
            if (chosen === undefined) continue;
            expect(cancelPlace(pace, chosen.place, nowMs)).toBe(true);
            live.delete(chosen);
          }
        }
        const kept = [...live].map(({ place, bookedAtMs }) => ({ ...place, bookedAtMs }));
        kept.sort((a, b) => a.startsAtMs - b.startsAtMs);
        for (const [index, { startsAtMs, bookedAtMs }] of kept.entries()) {
          expect(startsAtMs).toBeGreaterThanOrEqual(bookedAtMs);
          expect(startsAtMs - bookedAtMs).toBeLessThanOrEqual(given.maxHoldMs);
          const before = kept[index - 1];
          if (before !== undefined) expect(startsAtMs - before.startsAtMs).toBeGreaterThanOrEqual(before.delayMs);
        }
      }),
    );
  });
});

describe('a clock that turns out to be that of the same address as another', () => {
  test('is not free before that one, and keeps the places on it', () => {
    const pace = createPace();
    bookPlace(pace, { nowMs: 0, delayMs: 10 }, strict);
    const { place } = bookPlace(pace, { nowMs: 0, delayMs: 10 }, strict);
    followClock(pace, 15);
    expect(pace.nextFreeAtMs).toBe(20);
    followClock(pace, 50);
    expect([pace.nextFreeAtMs, place?.startsAtMs]).toEqual([50, 10]);
    expect(place && cancelPlace(pace, place, 5)).toBe(false);
    expect(pace.nextFreeAtMs).toBe(50);
  });
});
