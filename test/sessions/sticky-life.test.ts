import { describe, expect, test } from 'vitest';

import { stickyEndsAtMs } from '../../src/sessions/sticky-life.js';

const MINUTE = 60_000;

describe('a sticky session is kept', () => {
  for (const [what, life, uses, endsAtMs] of [
    ['from its last use', { stickyMs: MINUTE, countsFrom: 'use' }, [0, 0], MINUTE],
    ['longer by each use', { stickyMs: MINUTE, countsFrom: 'use' }, [0, 50_000], 110_000],
    ['from its first use', { stickyMs: 10 * MINUTE, countsFrom: 'creation' }, [0, 0], 10 * MINUTE],
    ['no longer for being used', { stickyMs: 10 * MINUTE, countsFrom: 'creation' }, [0, 9 * MINUTE], 10 * MINUTE],
    [
      'until it goes unused, where that comes first',
      { stickyMs: 10 * MINUTE, countsFrom: 'creation', stickyIdleMs: MINUTE },
      [0, 5 * MINUTE],
      6 * MINUTE,
    ],
    [
      'until its time is over, where that comes first',
      { stickyMs: 10 * MINUTE, countsFrom: 'creation', stickyIdleMs: MINUTE },
      [0, 9.5 * MINUTE],
      10 * MINUTE,
    ],
    ['from epoch times', { stickyMs: 1, countsFrom: 'use' }, [1e12, 1e12 + 5], 1e12 + 6],
  ] as const) {
    test(what, () => {
      const [firstUsedAtMs, lastUsedAtMs] = uses;
      expect(stickyEndsAtMs(life, { firstUsedAtMs, lastUsedAtMs })).toBe(endsAtMs);
    });
  }
});
