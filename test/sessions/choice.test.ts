import { describe, expect, test } from 'vitest';
import {
  type Candidate,
  type Choice,
  choosePin,
  chooseRotating,
  isInPlace,
  takeTurn,
} from '../../src/sessions/choice.js';

interface Named extends Candidate {
  readonly id: string;
  readonly waitMs: number;
  readonly isClosed: boolean;
}

function candidate(id: string, given: Partial<Named> & { readonly sessions?: number } = {}): Named {
  const { sessions = 0, ...rest } = given;
  return { id, weight: 1, tally: { sessions }, turn: 0, lastChosen: 0, waitMs: 0, isClosed: false, ...rest };
}

function choice(candidates: readonly Named[], turn = 0): Choice<Named> {
  return { candidates, turn, waitMs: ({ waitMs }) => waitMs, isOpen: ({ isClosed }) => !isClosed };
}

describe('a new session is pinned to the upstream', () => {
  for (const [name, candidates, chosen] of [
    ['with the fewest sessions', [candidate('a', { sessions: 2 }), candidate('b', { sessions: 1, waitMs: 900 })], 'b'],
    [
      'with the fewest for its weight',
      [candidate('a', { sessions: 2 }), candidate('b', { sessions: 5, weight: 3 })],
      'b',
    ],
    ['that is free first, among equals', [candidate('a', { waitMs: 500 }), candidate('b', { waitMs: 400 })], 'b'],
    ['whose turn it is, if both are free', [candidate('a', { turn: 2 }), candidate('b', { turn: 1 })], 'b'],
    ['that was unused longest', [candidate('a', { lastChosen: 2 }), candidate('b', { lastChosen: 1 })], 'b'],
    ['named first, if nothing tells them apart', [candidate('a'), candidate('b')], 'a'],
    ['that may be taken', [candidate('a', { isClosed: true }), candidate('b', { sessions: 9 })], 'b'],
  ] as const) {
    test(name, () => expect(choosePin(choice(candidates))?.id).toBe(chosen));
  }

  test('and to none where there is none', () => {
    expect(choosePin(choice([]))).toBeUndefined();
    expect(choosePin(choice([candidate('a', { isClosed: true })]))).toBeUndefined();
  });
});

describe('a request without a session leaves by the upstream', () => {
  for (const [name, candidates, chosen] of [
    [
      'that is free first, however many sessions it has',
      [candidate('a', { waitMs: 100 }), candidate('b', { sessions: 9 })],
      'b',
    ],
    ['whose turn it is, if both are free', [candidate('a', { turn: 7 }), candidate('b', { turn: 6 })], 'b'],
    ['that was unused longest', [candidate('a', { lastChosen: 7 }), candidate('b', { lastChosen: 3 })], 'b'],
    [
      'that may be taken, though it is not its turn',
      [candidate('a', { isClosed: true, turn: 1 }), candidate('b', { turn: 9, waitMs: 5 })],
      'b',
    ],
  ] as const) {
    test(name, () => expect(chooseRotating(choice(candidates))?.id).toBe(chosen));
  }

  test('as often as its weight says', () => {
    const candidates = [candidate('a', { weight: 2.5 }), candidate('b', { weight: 0.5 }), candidate('c')];
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
    let turn = 0;
    for (let index = 1; index <= 400; index += 1) {
      const chosen = chooseRotating(choice(candidates, turn)) as Named;
      chosen.lastChosen = index;
      turn = takeTurn(chosen, turn);
      counts[chosen.id] = (counts[chosen.id] ?? 0) + 1;
    }
    expect(counts).toEqual({ a: 250, b: 50, c: 100 });
  });

  test('and looks at no more clocks than it must', () => {
    const candidates = Array.from({ length: 100 }, (_, index) => candidate(String(index), { turn: index }));
    let looks = 0;
    const found = chooseRotating({ ...choice(candidates), waitMs: () => (looks += 1) * 0 });
    expect([found?.id, looks]).toEqual(['0', 1]);
  });
});

describe('an upstream is in the place that is asked for', () => {
  const austin = { country: 'us', state: 'tx', city: 'austin' };
  for (const [name, upstream, asked, expected] of [
    ['if nothing is asked for', {}, {}, true],
    ['if the country is the same', austin, { country: 'us' }, true],
    ['if all that is asked for is the same', austin, { country: 'us', city: 'austin' }, true],
    ['not if one part is another', austin, { country: 'us', state: 'ny' }, false],
    ['not if it has no label', {}, { country: 'us' }, false],
  ] as const) {
    test(name, () => expect(isInPlace(upstream, asked)).toBe(expected));
  }
});
