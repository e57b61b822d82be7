import { describe, expect, test } from 'vitest';
import { fateOf, maySucceed, type Mover } from '../../src/sessions/loss.js';

const mover: Mover = { outgoingIp: '127.0.0.2', isIpKnown: true, place: {}, policy: 'rebind' };
const SAME = { outgoingIp: '127.0.0.2', country: 'us' };
const OTHER = { outgoingIp: '127.0.0.3', country: 'de' };

describe('a session that lost its upstream may move', () => {
  for (const [name, given, upstream, expected] of [
    ['to none under fail', { policy: 'fail' }, SAME, false],
    ['to one of the same address under same-ip', { policy: 'same-ip' }, SAME, true],
    ['not to another one under same-ip', { policy: 'same-ip' }, OTHER, false],
    ['to none under same-ip, if its address is not known', { policy: 'same-ip', isIpKnown: false }, SAME, false],
    ['to any under rebind', {}, OTHER, true],
    ['not out of its place', { place: { country: 'us' } }, OTHER, false],
    ['within its place', { place: { country: 'us' } }, SAME, true],
  ] as const) {
    test(name, () => expect(maySucceed(upstream, { ...mover, ...given })).toBe(expected));
  }

  test('and where it may not, it waits for one that is down and ends with one that is gone', () => {
    expect([fateOf('down'), fateOf('gone')]).toEqual(['waits', 'ends']);
  });
});
