// The truth table in short: every crawler class, really crawling, and not one request by another outgoing IP than its
// session's. The whole of it is `npm run truth`.

import { describe, expect, test } from 'vitest';

import { runCommand } from '../../truth/command.js';
import { CRAWLS } from '../../truth/crawls.js';
import { formatTable } from '../../truth/report.js';
import type { Measured } from '../../truth/measure.js';

async function run(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCommand(argv, { out: (text) => void (out += text), err: (text) => void (err += text) });
  return { code, out, err };
}

const ROW = {
  crawl: 'CheerioCrawler',
  way: 'plugin',
  pages: 4,
  loadedPages: 4,
  requests: 8,
  missingRequests: 0,
  wrongRequests: 0,
  wrongPages: 0,
  outgoingIps: 2,
  counted: 0,
  seconds: 1,
} as const satisfies Measured;

/** Fewer where each session takes a browser to launch. */
function amountOf(name: string): { readonly pages: number; readonly sessions: number } {
  return name.endsWith('a browser a session') ? { pages: 12, sessions: 3 } : { pages: 24, sessions: 4 };
}

describe('with the plugin every request leaves by its session', () => {
  test.each(CRAWLS.map(({ name, parts }) => [name, parts] as const))(
    '%s',
    { timeout: 180_000 },
    async (name, parts) => {
      const { pages, sessions } = amountOf(name);
      const { code, out, err } = await run(
        '--requests',
        String(pages),
        '--sessions',
        String(sessions),
        '--only',
        `=${name}`,
        '--plugin-only',
        '--json',
      );
      const [row, ...others]: readonly Measured[] = JSON.parse(out) as Measured[];
      expect(others).toEqual([]);
      expect({ ...row, err }).toMatchObject({
        crawl: name,
        loadedPages: pages,
        wrongRequests: 0,
        missingRequests: 0,
        counted: 0,
        err: '',
      });
      expect(row?.requests).toBeGreaterThanOrEqual(pages * (1 + parts));
      // Crawlee takes a session for launching a browser, too, and then chooses by chance: one may have no page.
      expect(row?.outgoingIps).toBeGreaterThan(1);
      expect(code).toBe(0);
    },
  );
});

test('the same crawl with Crawlee alone is told apart: a wrong address is seen', { timeout: 120_000 }, async () => {
  const { code, out } = await run('--requests', '6', '--sessions', '3', '--only', '=PlaywrightCrawler');
  expect(out).toMatch(/^PlaywrightCrawler +plugin +6 +30 +0 +0 +\d+ +[\d.]+ +true$/m);
  expect(out).toMatch(/^PlaywrightCrawler +Crawlee alone +6 +30 +30 +6 +1 +[\d.]+ +NOT TRUE$/m);
  expect(code).toBe(0);
});

test.each([
  ['a wrong request', { wrongRequests: 1, wrongPages: 1 }, '1 requests by a wrong address'],
  ['a page that was not loaded', { loadedPages: 3 }, '1 pages not loaded'],
  ['a request that never came', { missingRequests: 2 }, '2 requests missing'],
  ['a mismatch that the plugin counted', { counted: 1 }, '1 mismatches counted by the plugin'],
])('%s with the plugin is a fault', (_name, change, told) => {
  expect(formatTable([ROW])).toContain('With the plugin: no mismatch.');
  const table = formatTable([{ ...ROW, ...change }]);
  expect(table).toContain('NOT TRUE');
  expect(table).toContain(told);
});

test.each([
  [['--requests', '0'], '--requests takes a whole number from 1 to 100000, not 0'],
  [['--sessions', 'many'], '--sessions takes a whole number from 1 to 250, not many'],
  [['--only', 'Selenium'], 'No crawl has Selenium in its name'],
  [['--chromium', '/nowhere/chromium'], 'There is no Chromium at /nowhere/chromium'],
  [['--nonsense'], 'nonsense'],
])('%j ends with 2 and a clear message', async (argv, told) => {
  const { code, out, err } = await run(...argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(told);
});
