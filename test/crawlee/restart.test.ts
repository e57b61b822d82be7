// That a crawl that was interrupted with Ctrl+C goes on with the same gateway sessions when it is started again, and
// forgets no page and has none twice.

import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';
import type { RestartCrawlOrder, RestartCrawlPage } from './restart-crawl.js';

const PROGRAM = fileURLToPath(new URL('restart-crawl.ts', import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** How a run of the program ended. */
interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

async function runCrawl(
  storageDir: string,
  order: RestartCrawlOrder,
  { interruptAfterPages = Infinity }: { readonly interruptAfterPages?: number } = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', TSX, PROGRAM, JSON.stringify(order)], {
    env: { ...process.env, CRAWLEE_STORAGE_DIR: storageDir, CRAWLEE_PURGE_ON_START: '0', CRAWLEE_LOG_LEVEL: 'INFO' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  let wasInterrupted = false;
  const take = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
    if (wasInterrupted || output.split('\nhad ').length <= interruptAfterPages) return;
    wasInterrupted = true;
    child.kill('SIGINT');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { code, output };
}

async function readDataset(storageDir: string): Promise<readonly RestartCrawlPage[]> {
  const folder = path.join(storageDir, 'datasets', 'default');
  const names = (await readdir(folder)).filter((name) => /^\d+\.json$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => JSON.parse(await readFile(path.join(folder, name), 'utf8')) as RestartCrawlPage),
  );
}

async function makeStorage(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'restart-crawl-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Crawlee session, gateway session and outgoing IP, as one word. */
function wayOf({ crawleeId, proxySessionId, outgoingIp }: RestartCrawlPage): string {
  return `${crawleeId} ${proxySessionId} ${outgoingIp}`;
}

test.each(['client', 'gateway'] as const)(
  'pacing %s: Ctrl+C and a new start go on with the same sessions and IPs, every page once',
  async (pacing) => {
    const gateway = await openGateway({ upstreams: localUpstreams(3), delays: { default: '40ms' } });
    const target = await openTarget();
    const storageDir = await makeStorage();
    const urls = mixedUrls(target, 60);
    const order = { proxyUrl: gateway.proxyUrl, pacing, urls };

    const first = await runCrawl(storageDir, order, { interruptAfterPages: 20 });
    const before = await readDataset(storageDir);
    expect(first.output).toContain('To resume, do: CRAWLEE_PURGE_ON_START=0');
    expect(first.code).toBe(0);
    expect(before.length).toBeLessThan(60);
    expect(new Set(await listSessions(gateway))).toEqual(new Set(before.map(({ proxySessionId }) => proxySessionId)));

    const second = await runCrawl(storageDir, order);
    expect(second.code).toBe(0);
    const all = await readDataset(storageDir);
    expect(all.map(({ url }) => url).toSorted()).toEqual(urls.toSorted());
    expect(new Set(all.map(wayOf))).toEqual(new Set(before.map(wayOf)));
    expect(new Set(all.map(wayOf)).size).toBe(3);
    // What is kept for the plugin is not shown to the user.
    for (const { userData } of all) expect([{}, { seen: true }]).toContainEqual(userData);
    // The end that was not interrupted has ended them.
    expect(await listSessions(gateway)).toEqual([]);
    const asked = new Map<string, number>();
    for (const visit of target.visits) asked.set(visit.path, (asked.get(visit.path) ?? 0) + 1);
    expect(asked.size).toBe(60);
    expect(target.visits.length - 60).toBeLessThanOrEqual(4);
  },
  120_000,
);

test('a session that was lost meanwhile is replaced, and no page is', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(3) });
  const target = await openTarget();
  const storageDir = await makeStorage();
  const urls = mixedUrls(target, 60);
  const order = { proxyUrl: gateway.proxyUrl, pacing: 'client', urls } as const;
  await runCrawl(storageDir, order, { interruptAfterPages: 20 });
  const kept = await listSessions(gateway);
  expect(kept).toHaveLength(3);
  await new SessionsClient(gateway.proxyUrl).delete(kept[0] ?? '');

  await runCrawl(storageDir, order);
  const all = await readDataset(storageDir);
  expect(all.map(({ url }) => url).toSorted()).toEqual(urls.toSorted());
  const ids = new Set(all.map(({ proxySessionId }) => proxySessionId));
  expect(ids.size).toBe(4);
  expect([...ids]).toEqual(expect.arrayContaining([...kept]));
}, 120_000);
