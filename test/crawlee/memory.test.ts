// That 1,000 sessions that are retired in one crawl leave nothing behind: at the gateway, in Crawlee's pool, in memory.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { expect, onTestFinished, test } from 'vitest';

import { openTarget } from './crawl-target.js';
import type { RetiringCrawlOrder, RetiringCrawlReport } from './retiring-crawl.js';

const PROGRAM = fileURLToPath(new URL('retiring-crawl.ts', import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/**
 * What the heap may grow by from 200 sessions to 1,000, both sides in it. Crawlee keeps a record of each request, and
 * Node compiles more as it goes on: 3.6 MB together. A session that is kept whole takes 10 KB and more, 800 of them 8 MB.
 */
const MOST_GROWTH_BYTES = 6_000_000;

async function runCrawl(order: RetiringCrawlOrder): Promise<RetiringCrawlReport> {
  const child = spawn(process.execPath, ['--expose-gc', '--import', TSX, PROGRAM, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  expect({ code, output }).toMatchObject({ code: 0 });
  return JSON.parse(output) as RetiringCrawlReport;
}

test('a crawl that retires 1,000 sessions keeps none of them, on neither side', { timeout: 180_000 }, async () => {
  const target = await openTarget();
  const urls = Array.from({ length: 1000 }, (_, index) => `${index % 10 === 0 ? target.https : target.http}/${index}`);
  const report = await runCrawl({ urls, measureAfter: [200, 1000] });
  expect(report).toMatchObject({ errors: [], requestsFinished: 1000, retired: 1000, sessionsLeft: 0 });
  // The one that was just retired is on its way out.
  expect(report.mostSessions).toBeLessThanOrEqual(2);
  expect(report.poolSize).toBeLessThanOrEqual(10);
  const [at200 = NaN, at1000 = NaN] = report.heapBytes;
  expect(at1000 - at200).toBeLessThan(MOST_GROWTH_BYTES);
});
