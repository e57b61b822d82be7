// The examples of a login and of several processes as a user runs them. They import the package by its name, so they run
// what `npm run build` made.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, onTestFinished, test } from 'vitest';

import { createQuotesSite } from '../../examples/quotes-site/quotes-site.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

async function run(example: string): Promise<string> {
  const storage = await mkdtemp(path.join(tmpdir(), 'examples-'));
  onTestFinished(() => rm(storage, { recursive: true, force: true }));
  const options = { cwd: ROOT, env: { ...process.env, CRAWLEE_STORAGE_DIR: storage } };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--import', 'tsx', `examples/${example}`], options, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${example} ended with ${error.code}: ${stderr}`)),
    );
  });
}

test('the login example is logged in on every page, from one outgoing IP', async () => {
  const pages = [...(await run('login-cheerio.ts')).matchAll(/^\/page\/\d\/: (.+) at (127\.0\.0\.\d)$/gm)];
  expect(pages.map(([, who]) => who)).toEqual(Array.from({ length: 4 }, () => 'logged in'));
  expect(new Set(pages.map(([, , ip]) => ip)).size).toBe(1);
});

test('crawlers in several processes keep the distance together', async () => {
  const [, told = '', delay] =
    /^8 pages, ([\d, ]+) ms apart, .* ms of (\d+)$/m.exec(await run('several-processes.ts')) ?? [];
  const gaps = told.split(', ').map(Number);
  expect(gaps).toHaveLength(7);
  // A few milliseconds go on the way from the gateway to the site.
  expect(Math.min(...gaps)).toBeGreaterThan(Number(delay) - 100);
});

/** Logs in with a form's token and answers the status, then whether a page knows the login. */
async function logIn(url: string, change: (form: URLSearchParams) => void) {
  const page = await fetch(`${url}login`);
  const cookie = page.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const token = /name="csrf_token" value="(\w+)"/.exec(await page.text())?.[1] ?? '';
  const body = new URLSearchParams({ csrf_token: token, username: 'reader', password: 'letters' });
  change(body);
  const answer = await fetch(`${url}login`, { method: 'POST', body, headers: { cookie }, redirect: 'manual' });
  const login = answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const known = await (await fetch(url, { headers: { cookie: login } })).text();
  return { status: answer.status, isKnown: known.includes('Logout') };
}

test.each([
  ['the form as it is', () => undefined, { status: 302, isKnown: true }],
  ['a wrong password', (form: URLSearchParams) => form.set('password', 'no'), { status: 403, isKnown: false }],
  ['a token of no form', (form: URLSearchParams) => form.set('csrf_token', 'no'), { status: 403, isKnown: false }],
] as const)('the login of the quotes site takes %s as it should', async (_name, change, outcome) => {
  const site = await createQuotesSite();
  onTestFinished(() => site.close());
  expect(await logIn(site.url, change)).toEqual(outcome);
});
