// The README's curl session, with the real curl against a gateway that runs as a program of its own.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startTarget } from '../support/gateway.js';
import { needsProgram } from '../support/needs.js';

const run = promisify(execFile);
const KEY = 'curl-test-key';

/** Runs `session-proxy serve` and resolves with its URL once it listens. */
async function serve(...flags: readonly string[]): Promise<string> {
  const home = mkdtempSync(path.join(tmpdir(), 'session-proxy-e2e-'));
  const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
  const args = ['--import', 'tsx', main, 'serve', '--port', '0', '--api-key', KEY, '--data-dir', home, ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    rmSync(home, { recursive: true });
  });
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    const url = /http:\/\/[\d.]+:\d+/.exec(text)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error('serve ended without listening');
}

async function curl(...args: readonly string[]): Promise<string> {
  return (await run('curl', ['-sS', ...args], { timeout: 30_000 })).stdout;
}

needsProgram('curl', 'curl', () => {
  test('a session over curl: created, used from one address a delay apart, listed, deleted, gone', async () => {
    const target = await startTarget();
    const proxy = await serve(
      '--upstream',
      'local://127.0.0.2',
      '--upstream',
      'local://127.0.0.3',
      '--allow-private',
      '--delay',
      '300ms',
    );
    const through = ['-x', proxy, '-U', `${KEY}:`];

    const first = await curl(...through, '-i', '-H', 'X-Crawlera-Session: create', `${target.url}/first`);
    const id = /^X-Crawlera-Session: (\d+)\r$/m.exec(first)?.[1] ?? '';
    expect(id).not.toBe('');
    for (let index = 0; index < 5; index += 1) {
      await curl(...through, '-H', `X-Crawlera-Session: ${id}`, `${target.url}/${index}`);
    }
    expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);
    for (const [index, { atMs }] of target.arrivals.entries()) {
      if (index > 0) expect(atMs - (target.arrivals[index - 1]?.atMs ?? 0)).toBeGreaterThanOrEqual(290);
    }

    const created = await curl('-u', `${KEY}:`, `${proxy}/sessions`, '-X', 'POST');
    expect(created).toMatch(/^\d+$/);
    const list = JSON.parse(await curl('-u', `${KEY}:`, `${proxy}/sessions`)) as Record<string, string>;
    expect(Object.keys(list).toSorted()).toEqual([id, created].toSorted());
    await curl('-u', `${KEY}:`, `${proxy}/sessions/${id}`, '-X', 'DELETE');
    const gone = await curl(...through, '-i', '-H', `X-Crawlera-Session: ${id}`, `${target.url}/gone`);
    expect(gone).toMatch(/^HTTP\/1\.1 400 Bad Request\r$/m);
    expect(gone).toMatch(/^X-Crawlera-Error: bad_session_id\r$/m);
    expect(target.arrivals.map(({ url }) => url)).not.toContain('/gone');
  });

  test('a tunnel over curl has its session in the credentials', async () => {
    const target = await startTarget();
    const proxy = await serve(
      '--upstream',
      'local://127.0.0.2',
      '--upstream',
      'local://127.0.0.3',
      '--allow-private',
      '--delay',
      '0',
    );
    for (let index = 0; index < 3; index += 1) {
      await curl('-x', proxy, '-U', `${KEY}:session-checkout`, '--proxytunnel', `${target.url}/${index}`);
    }
    expect(target.arrivals).toHaveLength(3);
    expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);
  });
});
