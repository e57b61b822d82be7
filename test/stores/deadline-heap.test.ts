import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeadlineHeap, type Ending } from '../../src/stores/deadline-heap.js';

const action = fc.record({ which: fc.nat(20), endsAtMs: fc.option(fc.nat(100), { nil: undefined }) });

test('the thing that ends first is at hand, whatever was put, moved and taken', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const heap = new DeadlineHeap<Ending>();
      const items = Array.from({ length: 21 }, () => ({ heapIndex: -1 }));
      const inside = new Map<Ending, number>();
      for (const { which, endsAtMs } of actions) {
        const item = items[which] as Ending;
        if (endsAtMs === undefined) {
          heap.take(item);
          inside.delete(item);
        } else {
          heap.put(item, endsAtMs);
          inside.set(item, endsAtMs);
        }
        expect(heap.size).toBe(inside.size);
        const first = heap.first();
        expect(first && heap.endOf(first)).toBe(inside.size === 0 ? undefined : Math.min(...inside.values()));
        expect(heap.endOf(item)).toBe(inside.get(item) ?? Infinity);
      }
      const order: number[] = [];
      for (let first = heap.first(); first !== undefined; first = heap.first()) {
        order.push(heap.endOf(first));
        heap.take(first);
      }
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }),
  );
});
