import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SessionIndex } from '../../src/stores/session-index.js';

test('finds what was added and not deleted, through any history', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { maxLength: 3000, size: 'max' }), (ids) => {
      const index = new SessionIndex<{ readonly id: string }>();
      const model = new Map<string, { readonly id: string }>();
      for (const number of ids) {
        const id = String(number);
        if (model.has(id)) {
          index.delete(id);
          index.delete(id);
          model.delete(id);
        } else {
          const session = { id };
          index.add(session);
          model.set(id, session);
        }
        expect(index.has(id)).toBe(model.has(id));
      }
      for (let number = 0; number <= 3000; number += 1) {
        expect(index.get(String(number))).toBe(model.get(String(number)));
      }
      const all = [...index.inParts()].flat();
      expect(all.length).toBe(model.size);
      expect(new Set(all)).toEqual(new Set(model.values()));
    }),
    { numRuns: 20 },
  );
});

test('IDs that differ in their last digit alone are spread, and found', () => {
  const index = new SessionIndex<{ readonly id: string }>();
  const ids = Array.from({ length: 20_000 }, (_, number) => String(100_000_000_000_000 + number));
  for (const id of ids) index.add({ id });
  expect(ids.every((id) => index.get(id)?.id === id)).toBe(true);
  expect(Math.max(...[...index.inParts()].map((part) => part.length))).toBeLessThan(100);
});
