// The bindings alone, over a gateway that only counts: what is made once, kept, ended and told.

import { expect, test, vi } from 'vitest';

import { SessionBindings } from '../../src/crawlee/session-bindings.js';
import type { SessionBindingsOptions } from '../../src/crawlee/session-bindings.js';

/** What a gateway without room fails with. */
const FULL = new Error('full');

/** Bindings over a gateway that only counts. */
function countingBindings(options: Partial<SessionBindingsOptions> = {}) {
  let made = 0;
  const deleted: string[] = [];
  const bindings = new SessionBindings({
    create: () => {
      made += 1;
      return Promise.resolve({ id: String(made), outgoingIp: '127.0.0.2' });
    },
    isThere: () => Promise.resolve(true),
    recreatesLost: () => false,
    delete: (id) => Promise.resolve(void deleted.push(id)),
    isFull: (error) => error === FULL,
    onDeleteFailed: () => undefined,
    ...options,
  });
  return { bindings, deleted };
}

test('of more than 5,000 Crawlee sessions the least recently used lose theirs', async () => {
  const { bindings, deleted } = countingBindings();
  for (let index = 0; index < 5000; index += 1) await bindings.bind(`session_${index}`);
  await bindings.bind('session_0');
  await bindings.bind('one more');
  expect(deleted).toEqual(['2']);
  await expect(bindings.bind('session_1')).rejects.toMatchObject({ code: 'bad_session_id' });
  expect(await bindings.bind('session_0')).toMatchObject({ id: '1' });
});

test('a session that could not be made is tried again', async () => {
  const create = vi.fn<SessionBindingsOptions['create']>(() => Promise.resolve({ id: '7', outgoingIp: undefined }));
  create.mockRejectedValueOnce(new Error('no upstream is usable'));
  const { bindings } = countingBindings({ create });
  await expect(bindings.bind('a')).rejects.toThrow('no upstream is usable');
  expect(await bindings.bind('a')).toMatchObject({ id: '7' });
});

test('a session that ends while it is being made is deleted once it is there', async () => {
  const { bindings, deleted } = countingBindings();
  const bound = bindings.bind('a');
  bindings.release('a');
  expect(deleted).toEqual([]);
  await bound;
  await bindings.close({ keepSessions: false });
  expect(deleted).toEqual(['1']);
});

test('a session that ends while requests are under way in it is deleted once they are answered', async () => {
  const { bindings, deleted } = countingBindings();
  await bindings.bind('a');
  bindings.enter('a');
  bindings.enter('a');
  bindings.release('a');
  bindings.leave('a');
  expect(deleted).toEqual([]);
  expect(bindings.find('a')).toBeUndefined();
  bindings.leave('a');
  await bindings.close({ keepSessions: true });
  expect(deleted).toEqual(['1']);
});

test('a deletion that fails is told and throws nowhere', async () => {
  const onDeleteFailed = vi.fn<SessionBindingsOptions['onDeleteFailed']>();
  const { bindings } = countingBindings({ delete: () => Promise.reject(new Error('gone')), onDeleteFailed });
  await bindings.bind('a');
  bindings.release('a');
  await bindings.close({ keepSessions: false });
  expect(onDeleteFailed).toHaveBeenCalledExactlyOnceWith('1', new Error('gone'));
});

test('where the API key has no room, the session unused for longest makes some', async () => {
  let room = 2;
  let made = 0;
  const { bindings, deleted } = countingBindings({
    create: () => {
      if (room === 0) return Promise.reject(FULL);
      room -= 1;
      made += 1;
      return Promise.resolve({ id: String(made), outgoingIp: undefined });
    },
    delete: (id) => {
      room += 1;
      return Promise.resolve(void deleted.push(id));
    },
  });
  for (const crawleeId of ['a', 'b', 'a', 'c']) await bindings.bind(crawleeId);
  expect(deleted).toEqual(['2']);
  expect(bindings.find('c')).toMatchObject({ id: '3' });
});
