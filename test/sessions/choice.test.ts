import { describe, expect, test } from 'vitest';
import { type Candidate, choosePin, chooseRotating, isInPlace } from '../../src/sessions/choice.js';

function candidate(id: string, given: Partial<Candidate>): Candidate {
  return { id, outgoingIp: id, sessions: 0, freeAtMs: 0, lastChosen: 0, ...given };
}

describe('a new session is pinned to the upstream', () => {
  for (const [name, candidates, chosen] of [
    [
      'with the fewest sessions',
      [candidate('a', { sessions: 2 }), candidate('b', { sessions: 1, freeAtMs: 900 })],
      'b',
    ],
    ['that is free first, among equals', [candidate('a', { freeAtMs: 500 }), candidate('b', { freeAtMs: 400 })], 'b'],
    [
      'that was unused longest, if both are free',
      [candidate('a', { lastChosen: 2, freeAtMs: -5 }), candidate('b', { lastChosen: 1 })],
      'b',
    ],
    ['named first, if nothing tells them apart', [candidate('a', {}), candidate('b', {})], 'a'],
  ] as const) {
    test(name, () => expect(choosePin(candidates, 100)?.id).toBe(chosen));
  }

  test('and to none where there is none', () => expect(choosePin([], 100)).toBeUndefined());
});

describe('a request without a session leaves by the upstream', () => {
  for (const [name, candidates, chosen] of [
    [
      'that is free first, however many sessions it has',
      [candidate('a', { freeAtMs: 200 }), candidate('b', { sessions: 9 })],
      'b',
    ],
    [
      'that was unused longest, if both are free',
      [candidate('a', { lastChosen: 7 }), candidate('b', { lastChosen: 3 })],
      'b',
    ],
  ] as const) {
    test(name, () => expect(chooseRotating(candidates, 100)?.id).toBe(chosen));
  }
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
