import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OwnerSessions } from '../../src/stores/owner-sessions.js';

interface Item {
  readonly rank: number;
  readonly traits: { readonly name?: string };
}

test('sessions stay in order of creation through any deletions', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(200), { nil: undefined }), { maxLength: 300 }), (steps) => {
      const sessions = new OwnerSessions<Item>();
      let model: Item[] = [];
      let rank = 0;
      for (const step of steps) {
        if (step === undefined || model.length === 0) {
          rank += 1;
          const item = { rank, traits: rank % 3 === 0 ? { name: `n${rank}` } : {} };
          sessions.add(item);
          model.push(item);
        } else {
          const gone = model[step % model.length] as Item;
          sessions.delete(gone);
          sessions.delete(gone);
          model = model.filter((item) => item !== gone);
          if (gone.traits.name !== undefined) expect(sessions.named(gone.traits.name)).toBeUndefined();
        }
        expect(sessions.size).toBe(model.length);
      }
      expect([...sessions.after(0)]).toEqual(model);
      const from = Math.floor(rank / 2);
      expect([...sessions.after(from)]).toEqual(model.filter((item) => item.rank > from));
      for (const item of model) if (item.traits.name !== undefined) expect(sessions.named(item.traits.name)).toBe(item);
    }),
  );
});

test('holes are closed up once they outnumber the sessions, and pages go on where they were', () => {
  const sessions = new OwnerSessions<Item>();
  const items = Array.from({ length: 100 }, (_, index) => ({ rank: index + 1, traits: {} }));
  for (const item of items) sessions.add(item);
  for (const item of items.slice(0, 90)) sessions.delete(item);
  expect([...sessions.after(95)]).toEqual(items.slice(95));
  sessions.delete(items[95] as Item);
  expect([...sessions.after(0)]).toEqual([...items.slice(90, 95), ...items.slice(96)]);
});

test('thousands stay in order, though most of them leave, in any order', () => {
  const some = fc.record({ seed: fc.integer({ min: 1, max: 1000 }), kept: fc.integer({ min: 0, max: 10 }) });
  fc.assert(
    fc.property(fc.array(some, { minLength: 1, maxLength: 4 }), (rounds) => {
      const sessions = new OwnerSessions<Item>();
      let model: Item[] = [];
      let rank = 0;
      for (const { seed, kept } of rounds) {
        for (let made = 0; made < 1000; made += 1) {
          rank += 1;
          const item = { rank, traits: {} };
          sessions.add(item);
          model.push(item);
        }
        const isKept = (item: Item): boolean => (item.rank * seed * 7919) % 1009 < kept * 100;
        const leaving = model.filter((item) => !isKept(item)).toSorted((a, b) => ((a.rank - b.rank) * seed) % 17);
        for (const item of leaving) sessions.delete(item);
        model = model.filter(isKept);
        expect(sessions.size).toBe(model.length);
        expect([...sessions.after(0)]).toEqual(model);
        for (const from of [1, 255, 256, 257, rank - 500]) {
          expect([...sessions.after(from)]).toEqual(model.filter((item) => item.rank > from));
        }
      }
    }),
    { numRuns: 20 },
  );
});
