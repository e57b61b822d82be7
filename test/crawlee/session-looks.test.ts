import { expect, test } from 'vitest';

import { SessionLooks } from '../../src/crawlee/session-looks.js';

/** Looks whose answers are given by hand, in the order of the questions. */
function open() {
  const asked: { readonly id: string; readonly answer: (text: string) => void }[] = [];
  const ask = (id: string): Promise<string> => new Promise((answer) => asked.push({ id, answer }));
  return { looks: new SessionLooks<string>(ask), asked };
}

test('who asks about one session at about the same time shares a question', async () => {
  const { looks, asked } = open();
  const answers = [looks.look('1', 5), looks.look('1', 5), looks.look('2', 5)];
  await expect.poll(() => asked.map(({ id }) => id)).toEqual(['1', '2']);
  for (const { id, answer } of asked) answer(`of ${id}`);
  expect(await Promise.all(answers)).toEqual(['of 1', 'of 1', 'of 2']);
});

test('who asks while a question is under way shares the next one, which waits for its answer', async () => {
  const { looks, asked } = open();
  const first = looks.look('1', 0);
  await expect.poll(() => asked.length).toBe(1);
  const later = [looks.look('1', 0), looks.look('1', 0)];
  const another = looks.look('2', 0);
  // The other session's question was put behind those, and nothing holds it up.
  await expect.poll(() => asked.map(({ id }) => id)).toEqual(['1', '2']);
  asked[1]?.answer('another');
  expect(await another).toBe('another');
  expect(asked).toHaveLength(2);
  asked[0]?.answer('first');
  expect(await first).toBe('first');
  await expect.poll(() => asked.length).toBe(3);
  asked[2]?.answer('later');
  expect(await Promise.all(later)).toEqual(['later', 'later']);
});

test('a question that failed is told to those who asked it, and the next one is asked all the same', async () => {
  let count = 0;
  const looks = new SessionLooks<number>(async () => {
    count += 1;
    if (count === 1) throw new Error('no answer');
    return count;
  });
  await expect(looks.look('1', 0)).rejects.toThrow('no answer');
  expect(await looks.look('1', 0)).toBe(2);
});
