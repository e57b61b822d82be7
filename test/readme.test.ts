// Holds the README's tables against the code they speak of.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { WIRE_ERRORS } from '../src/protocol/wire-errors.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const packageJson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};

test('the table of errors is that of the code', () => {
  const rows = [...readme.matchAll(/^\| `(?<code>[a-z_]+)` \| (?<status>\d{3}) \|/gm)].map(({ groups }) => groups);
  const documented = Object.fromEntries(rows.map((row) => [row?.['code'], Number(row?.['status'])]));
  const known = Object.fromEntries(Object.entries(WIRE_ERRORS).map(([code, { status }]) => [code, status]));
  expect(documented).toEqual(known);
});

test('the first program is the example of that name, which is type-checked', () => {
  expect(readme).toContain(readFileSync(new URL('../examples/minimal.ts', import.meta.url), 'utf8'));
});

test('every npm script that is named there exists', () => {
  const named = [...readme.matchAll(/npm run ([a-z:-]+)/g)].map(([, script]) => script ?? '');
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter((script) => packageJson.scripts[script] === undefined)).toEqual([]);
});

test('every file that is linked there exists', () => {
  for (const [, file] of readme.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)) {
    expect(() => readFileSync(new URL(`../${file}`, import.meta.url))).not.toThrow();
  }
});

test('the first screen has one sentence, then the two commands', () => {
  const [, intro = ''] = readme.split('\n\n');
  expect(intro.match(/\./g)?.length).toBeLessThanOrEqual(3);
  expect(readme.indexOf('npm ci && npm run example:quotes')).toBeLessThan(readme.indexOf('npm ci && npm test'));
  expect(readme.slice(0, 1200)).toContain('npm ci && npm test');
});
