import { expect, test } from 'vitest';

import { formatDuration, formatTable } from '../../src/cli/table.js';

for (const [ms, shown] of [
  [-5, '0s'],
  [0, '0s'],
  [1, '1s'],
  [12_000, '12s'],
  [60_000, '1m'],
  [1_798_000, '29m 58s'],
  [3_600_000, '1h'],
  [3_605_000, '1h'],
  [5_400_000, '1h 30m'],
  [2_147_483_647, '596h 31m'],
] as const) {
  test(`${ms} ms are shown as ${shown}`, () => expect(formatDuration(ms)).toBe(shown));
}

test('columns are as wide as their widest cell, and lines have no blanks at their end', () => {
  expect(
    formatTable(
      ['ID', 'NAME'],
      [
        ['12345', 'a'],
        ['1', 'bcdef'],
      ],
    ),
  ).toBe('ID     NAME\n12345  a\n1      bcdef');
});

test('what a terminal would take as a command is left out', () => {
  expect(formatTable(['A'], [['\u001B[31mred\n']])).toBe('A\n[31mred');
});
