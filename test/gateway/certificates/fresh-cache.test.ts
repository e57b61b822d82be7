import { expect, test } from 'vitest';

import { FreshCache } from '../../../src/gateway/certificates/fresh-cache.js';
import { deferred } from '../../support/deferred.js';
import { FakeClock } from '../../support/fake-clock.js';

const RENEW_AT_MS = 1_000;

/** A cache of numbered values, each good until `RENEW_AT_MS` after its making, and how to read it. */
function createCache(maxEntries = 10): { clock: FakeClock; read: (key: string) => Promise<string>; made: string[] } {
  const clock = new FakeClock(0);
  const cache = new FreshCache<string>({ clock, maxEntries });
  const made: string[] = [];
  const read = (key: string): Promise<string> =>
    cache.get(key, async () => {
      made.push(key);
      return { value: `${key}${made.length}`, renewAtMs: clock.nowMs() + RENEW_AT_MS };
    });
  return { clock, read, made };
}

test('a value is made once while it is fresh', async () => {
  const { clock, read } = createCache();
  expect(await read('a')).toBe('a1');
  clock.advance(RENEW_AT_MS - 1);
  expect(await read('a')).toBe('a1');
  clock.advance(1);
  expect(await read('a')).toBe('a2');
  expect(await read('a')).toBe('a2');
});

test('all who ask while it is made get the same', async () => {
  const cache = new FreshCache<number>({ clock: new FakeClock(), maxEntries: 10 });
  const [gate, open] = deferred();
  let made = 0;
  const make = async (): Promise<{ value: number; renewAtMs: number }> => {
    made += 1;
    await gate;
    return { value: made, renewAtMs: Infinity };
  };
  const asked = [cache.get('a', make), cache.get('a', make), cache.get('a', make)];
  open();
  expect(await Promise.all(asked)).toEqual([1, 1, 1]);
});

test('a failure reaches all who wait, and the next one tries again', async () => {
  const cache = new FreshCache<string>({ clock: new FakeClock(), maxEntries: 10 });
  const failing = (): Promise<never> => Promise.reject(new Error('no luck'));
  const asked = [cache.get('a', failing), cache.get('a', failing)];
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await cache.get('a', async () => ({ value: 'made', renewAtMs: Infinity }))).toBe('made');
});

test('the one not used for longest goes when there are too many', async () => {
  const { read, made } = createCache(2);
  for (const key of ['a', 'b', 'a', 'c', 'a', 'c']) {
    // oxlint-disable-next-line no-await-in-loop
    await read(key);
  }
  expect(made).toEqual(['a', 'b', 'c']);
  await read('b');
  expect(made).toEqual(['a', 'b', 'c', 'b']);
});
