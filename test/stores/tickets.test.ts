import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Tickets } from '../../src/stores/tickets.js';

test('a thing is found by its ticket until it is taken away, and no ticket is given twice', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(500), { nil: undefined }), { maxLength: 500 }), (steps) => {
      const tickets = new Tickets<number>();
      const model = new Map<string, number>();
      const gone = new Set<string>();
      for (const [index, step] of steps.entries()) {
        if (step === undefined || model.size === 0) {
          const ticket = tickets.add(index);
          expect(model.has(ticket) || gone.has(ticket)).toBe(false);
          model.set(ticket, index);
        } else {
          const ticket = [...model.keys()][step % model.size] as string;
          tickets.delete(ticket);
          tickets.delete(ticket);
          model.delete(ticket);
          gone.add(ticket);
        }
        expect(tickets.size).toBe(model.size);
      }
      for (const [ticket, thing] of model) expect(tickets.get(ticket)).toBe(thing);
      for (const ticket of gone) expect(tickets.get(ticket)).toBeUndefined();
    }),
  );
});

test('those that stay long are in nobody’s way', () => {
  const tickets = new Tickets<string>();
  const long = ['a', 'b', 'c'].map((thing) => ({ thing, ticket: tickets.add(thing) }));
  for (let count = 0; count < 1000; count += 1) tickets.delete(tickets.add('short'));
  expect(long.map(({ ticket }) => tickets.get(ticket))).toEqual(['a', 'b', 'c']);
  expect(tickets.size).toBe(3);
});

for (const ticket of [
  '',
  't',
  't0',
  't01',
  't1 ',
  ' t1',
  't1.0',
  'T1',
  '1',
  't-1',
  't17',
  '123456789012345-1',
  'tx',
  't1e0',
]) {
  test(`${JSON.stringify(ticket)} is no ticket, and taking it away changes nothing`, () => {
    const tickets = new Tickets<string>();
    expect(tickets.add('one')).toBe('t1');
    expect(tickets.get(ticket)).toBeUndefined();
    tickets.delete(ticket);
    expect(tickets.get('t1')).toBe('one');
  });
}
