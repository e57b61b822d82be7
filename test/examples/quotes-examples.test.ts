// The quotes examples as a user runs them: what they print, what they leave behind, what they say to bad arguments.
// They import the package by its name, so they run what `npm run build` made.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { Gateway } from '../../src/gateway/index.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

beforeAll(() => {
  if (!existsSync(path.join(ROOT, 'dist', 'index.js'))) throw new Error('Run `npm run build` before this test');
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What went into Crawlee's default dataset, in order. */
  readonly items: readonly unknown[];
}

/** Runs an example with a storage directory of its own. */
async function run(example: string, args: readonly string[], cleanUp: (fn: () => Promise<void>) => void): Promise<Run> {
  const storage = await mkdtemp(path.join(tmpdir(), 'quotes-'));
  cleanUp(() => rm(storage, { recursive: true, force: true }));
  const outcome = await runNode([path.join(ROOT, 'examples', example), ...args], { CRAWLEE_STORAGE_DIR: storage });
  return { ...outcome, items: await readItems(path.join(storage, 'datasets', 'default')) };
}

type Outcome = Omit<Run, 'items'>;

async function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const options = { cwd: ROOT, env: { ...process.env, ...env } };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', ...args], options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

/** Reads a command line as the examples do, and does no more: Crawlee takes seconds to load. */
async function readOnly(args: readonly string[]): Promise<Outcome> {
  const program =
    "import { readArguments } from './examples/quotes-arguments.ts'; readArguments(['url', 'proxy-url', 'transport'])";
  return runNode(['--input-type=module', '--eval', program, '--', ...args]);
}

async function readItems(directory: string): Promise<unknown[]> {
  if (!existsSync(directory)) return [];
  const files = (await readdir(directory)).filter((file) => file.endsWith('.json')).toSorted();
  return Promise.all(
    files.map(async (file): Promise<unknown> => JSON.parse(await readFile(path.join(directory, file), 'utf8'))),
  );
}

function lastLine(text: string): string | undefined {
  return text.trim().split('\n').at(-1);
}

const FOUND = '100 quotes, 10 pages, 1 session, 1 outgoing IP';

// Both wait a second before each page, and so run side by side.
test.concurrent('the spider finds the same 100 quotes in one session with either transport', async ({
  onTestFinished: cleanUp,
}) => {
  const [credentials, headers] = await Promise.all(
    ['credentials', 'headers'].map((name) => run('quotes-cheerio.ts', ['--transport', name], cleanUp)),
  );
  for (const outcome of [credentials, headers]) {
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(lastLine(outcome?.stdout ?? '')).toBe(FOUND);
    expect(outcome?.stdout).toContain('/page/10/: 10 quotes, the first by ');
    const rows = [...(outcome?.stdout ?? '').matchAll(/│ '\/[^']*' +│ 10 +│ '(\d+)' │ '([\d.]+)' +│ '[\d.]+ s' +│/g)];
    expect(rows).toHaveLength(10);
    expect(new Set(rows.map(([, id, ip]) => `${id} ${ip}`)).size).toBe(1);
  }
  expect(credentials?.items).toHaveLength(100);
  expect(credentials?.items).toEqual(headers?.items);
  const quotes: unknown = JSON.parse(await readFile(path.join(ROOT, 'examples', 'quotes-site', 'quotes.json'), 'utf8'));
  const plain = credentials?.items.map((item) => JSON.parse(JSON.stringify(item).replaceAll(/[“”]/g, '')) as unknown);
  expect(plain).toEqual(quotes);
});

test.concurrent('the header example follows the same pages in one session', async ({ onTestFinished: cleanUp }) => {
  const { code, stdout, stderr } = await run('quotes-header.ts', [], cleanUp);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(lastLine(stdout)).toBe(FOUND);
  expect(stdout.match(/^\/.*: 10 quotes, the first by .+, in session \d+$/gm)).toHaveLength(10);
});

describe('the browser examples find the same quotes', () => {
  test.each([
    ['quotes-playwright.ts', 2],
    ['quotes-puppeteer.ts', 1],
  ])('%s, from %d outgoing IPs', async (example, ips) => {
    const { code, stdout, stderr } = await run(example, [], onTestFinished);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lastLine(stdout)).toBe('100 quotes, 10 pages, 0 mismatches');
    const pages = [...stdout.matchAll(/^\/\S*: 10 quotes, from (127\.0\.0\.\d+)$/gm)];
    expect(pages).toHaveLength(10);
    expect(new Set(pages.map(([, ip]) => ip)).size).toBe(ips);
  });
});

describe('--help prints the options and ends with 0', () => {
  test.each([
    ['quotes-cheerio.ts', '--help', '--transport credentials|headers'],
    ['quotes-header.ts', '-h', '--proxy-url http://KEY:@127.0.0.1:8011'],
  ])('%s %s', async (example, flag, told) => {
    const { code, stdout, stderr } = await run(example, [flag], onTestFinished);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Options: --url http://quotes.toscrape.com/');
    expect(stdout).toContain(told);
  });
});

describe('a gateway that is of no use ends with 1 and one sentence', () => {
  test.each([
    ['quotes-cheerio.ts', 'a wrong key', 'refused the API key'],
    ['quotes-header.ts', 'a wrong key', 'refused the API key'],
    ['quotes-cheerio.ts', 'nobody listening', 'No gateway answers at'],
    ['quotes-header.ts', 'nobody listening', 'Nothing came through the gateway at'],
  ])('%s, %s', async (example, fault, told) => {
    const gateway = new Gateway({ port: 0, upstreams: ['direct://'], log: { level: 'silent' } });
    await gateway.listen();
    onTestFinished(() => gateway.close());
    if (fault === 'nobody listening') await gateway.close();
    const proxyUrl = gateway.url.replace('//', '//wrong-key-1:@');
    const { code, stderr } = await run(example, ['--proxy-url', proxyUrl], onTestFinished);
    expect(code).toBe(1);
    expect(stderr).toContain(told);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).not.toContain('wrong-key-1');
  });
});

describe('bad arguments end with 2 and a clear message', () => {
  test.each([
    ['quotes-cheerio.ts', ['--trnsport', 'headers'], "Unknown option '--trnsport'"],
    ['quotes-header.ts', ['--transport', 'headers'], "Unknown option '--transport'"],
  ])('%s %j', async (example, args, told) => {
    checkRefusal(await run(example, args, onTestFinished), told);
  });

  test.each([
    [['--transport', 'pigeon'], '--transport takes credentials or headers, not pigeon'],
    [['--url', 'quotes.toscrape.com'], '--url takes an http URL'],
    [['--proxy-url', 'http://127.0.0.1:8011'], '--proxy-url takes the address of a gateway with its API key'],
  ])('%j', async (args, told) => {
    checkRefusal(await readOnly(args), told);
  });
});

function checkRefusal({ code, stdout, stderr }: Outcome, told: string): void {
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(told);
  expect(stderr).toContain('Options: --url http://quotes.toscrape.com/');
}
