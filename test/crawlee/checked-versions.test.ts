// Which versions of Crawlee the plugin was checked on, and that what it touches there beyond the public declarations is
// still where it was, and stays in one file.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { AutoscaledPool, Configuration, KeyValueStore } from '@crawlee/core';
import { expect, onTestFinished, test } from 'vitest';

import { ProxySessionPool } from '../../src/index.js';
import { configure, openGateway } from './crawl.js';

/** The oldest and the newest version that all tests of the plugin were run on. */
const CHECKED = { oldest: '3.13.0', newest: '3.18.1' } as const;

/** The one file that may touch what Crawlee declares protected or private. */
const TOUCHES_PROTECTED = 'crawlee/proxy-session-pool.ts';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

const WHAT_TO_DO =
  `Compare SessionPool and AutoscaledPool with ${CHECKED.newest} in what src/${TOUCHES_PROTECTED} names in its first ` +
  'lines, run the tests of test/crawlee, then write the new version here and there.';

/** What is wrong with a version of Crawlee; undefined where it was checked. */
function faultOf(version: string): string | undefined {
  const [major, minor] = numbersOf(version);
  const [oldestMajor, oldestMinor] = numbersOf(CHECKED.oldest);
  const [, newestMinor] = numbersOf(CHECKED.newest);
  if (major !== oldestMajor) return `Crawlee ${version} is not of the plugin's major version. ${WHAT_TO_DO}`;
  if (minor < oldestMinor) return `Crawlee ${version} is older than ${CHECKED.oldest}, the oldest that was checked.`;
  if (minor > newestMinor) return `Crawlee ${version} is newer than ${CHECKED.newest}. ${WHAT_TO_DO}`;
  return undefined;
}

function numbersOf(version: string): readonly [number, number] {
  const [major = NaN, minor = NaN] = version.split('.').map(Number);
  return [major, minor];
}

function installedVersion(): string {
  const packagePath = createRequire(import.meta.url).resolve('@crawlee/core/package.json');
  return (JSON.parse(readFileSync(packagePath, 'utf8')) as { readonly version: string }).version;
}

test('the installed version of Crawlee is between those that were checked', () => {
  expect(faultOf(installedVersion())).toBeUndefined();
});

test.each([
  ['3.12.9', 'is older than 3.13.0'],
  ['3.13.0', undefined],
  ['3.15.2', undefined],
  ['3.18.9', undefined],
  ['3.19.0', 'is newer than 3.18.1. Compare'],
  ['4.0.0-beta.1', "is not of the plugin's major version. Compare"],
])('Crawlee %s: %s', (version, fault) => {
  if (fault === undefined) expect(faultOf(version)).toBeUndefined();
  else expect(faultOf(version)).toContain(fault);
});

test('the file that touches protected members names the same versions', () => {
  const head = readFileSync(`${SRC}${TOUCHES_PROTECTED}`, 'utf8').split('\nimport ')[0]?.replaceAll('\n// ', ' ');
  expect(head).toContain(`Checked on Crawlee ${CHECKED.oldest} and ${CHECKED.newest}`);
});

test('no other file touches what is protected or private', () => {
  const files = ['crawlee', 'crawlee4'].flatMap((folder) =>
    readdirSync(`${SRC}${folder}`, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  );
  const touching = files.filter((file) => file.endsWith('.ts') && touchesProtected(`${SRC}${file}`));
  expect(touching).toEqual([TOUCHES_PROTECTED]);
});

/**
 * The ways past a declaration: a member in brackets, which TypeScript lets pass; Crawlee's own mark of what is not for
 * others, the underscore; and the two private members of AutoscaledPool, which are reached by an interface of ours.
 */
function touchesProtected(path: string): boolean {
  const code = readFileSync(path, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  const inBrackets = /\b(?!process\.env\b)[a-z][\w.#]*\??\.?\[['"]\w+['"]\]/;
  return inBrackets.test(code) || /\._[a-z]/.test(code) || /\b(?:isTaskReady|runTask)Function\b/.test(code);
}

test('SessionPool has what the adoption touches', async () => {
  const gateway = await openGateway();
  const config = new Configuration({ persistStorage: false });
  const pool = await ProxySessionPool.open(
    { proxyConfiguration: configure(gateway.proxyUrl), maxPoolSize: 3, sessionOptions: { maxAgeSecs: 7 } },
    config,
  );
  onTestFinished(() => pool.teardown());
  expect(pool['maxPoolSize']).toBe(3);
  expect(pool['sessionOptions']).toMatchObject({ maxAgeSecs: 7 });
  expect(pool['persistStateKey']).toBe('SDK_SESSION_POOL_STATE');
  expect(pool['persistenceOptions']).toEqual({ enable: true });
  expect(pool['keyValueStore'].id).toBeTypeOf('string');
  expect(pool['persistStateKey']).toBe('SDK_SESSION_POOL_STATE');
  expect(pool['persistenceOptions'].enable).toBe(true);
  expect(pool['keyValueStore']).toBe(await KeyValueStore.open(undefined, { config }));
  const session = await pool.getSession();
  expect(pool['sessions']).toEqual([session]);
  session.retire();
  pool['_removeRetiredSessions']();
  expect(pool['sessions']).toEqual([]);
});

test('AutoscaledPool has what the gate of tasks touches, and calls what is put in its place', async () => {
  const calls: string[] = [];
  const pool = new AutoscaledPool({
    isTaskReadyFunction: () => Promise.resolve(!calls.includes('task')),
    isFinishedFunction: () => Promise.resolve(calls.includes('task')),
    runTaskFunction: () => Promise.reject(new Error('replaced')),
  });
  const members = pool as unknown as Record<'isTaskReadyFunction' | 'runTaskFunction', () => Promise<unknown>>;
  const isReady = members.isTaskReadyFunction;
  members.isTaskReadyFunction = () => {
    calls.push('ready?');
    return isReady();
  };
  members.runTaskFunction = async () => void calls.push('task');
  await pool.run();
  expect(calls.slice(0, 2)).toEqual(['ready?', 'task']);
});
