import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';

import { expect, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { createHome, runCli, startServe } from './run-cli.js';

const KEY = 'configured-key';

function withKey(url: string, key: string): string {
  return url.replace('//', `//${key}:@`);
}

test('the first start makes a key and shows it once, later ones name the command that prints it', async () => {
  const home = await createHome();
  const keyFile = path.join(home, '.session-proxy', 'api-key');

  const first = await startServe([], { home });
  const key = (await readFile(keyFile, 'utf8')).trim();
  expect(key).toMatch(/^[0-9a-f]{32}$/);
  expect(first.stdout).toContain(`  ${withKey(first.url, key)}\n`);
  expect(first.stdout).toContain(`curl -i -x ${withKey(first.url, key)} http`);
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(keyFile))).mode & 0o777).toBe(0o700);
  first.child.kill('SIGTERM');
  const { code, stderr } = await first.ended;
  expect(code).toBe(0);
  expect(stderr).not.toContain(key);

  const second = await startServe([], { home });
  expect(second.stdout).toContain('session-proxy key');
  expect(second.stdout).not.toContain(key);
  expect((await new SessionsClient(withKey(second.url, key)).create()).outgoingIp).toBe('direct');

  expect(await runCli(['key'], { home })).toEqual({ code: 0, stdout: `${key}\n`, stderr: '' });
});

test('two starts at once end with one key', async () => {
  const home = await createHome();
  const both = await Promise.all([startServe([], { home }), startServe([], { home })]);
  const key = (await readFile(path.join(home, '.session-proxy', 'api-key'), 'utf8')).trim();
  for (const { url } of both) {
    // oxlint-disable-next-line no-await-in-loop
    expect(await new SessionsClient(withKey(url, key)).listPlain()).toEqual({});
  }
});

test('a configured key is taken, not shown and not kept', async () => {
  const home = await createHome();
  const { stdout, url } = await startServe(['--api-key', KEY], { home });
  expect(stdout).not.toContain(KEY);
  expect(stdout).toContain('that of the configuration');
  expect(await new SessionsClient(withKey(url, KEY)).listPlain()).toEqual({});
  await expect(stat(path.join(home, '.session-proxy'))).rejects.toThrow('ENOENT');
});

test('an IPv6 host stands in brackets', async ({ skip }) => {
  const home = await createHome();
  const started = await startServe(['--host', '::1', '--api-key', KEY], { home }).catch((error: unknown) => {
    if (String(error).includes('no address of this machine')) return undefined;
    throw error;
  });
  if (started === undefined) return skip('this machine has no IPv6');
  expect(started.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  return undefined;
});

test('each log line is JSON where standard error is no terminal, and tells of the session', async () => {
  const home = await createHome();
  const { child, ended, url } = await startServe(['--api-key', KEY, '--log-level', 'debug'], { home });
  const { id } = await new SessionsClient(withKey(url, KEY)).create();
  child.kill('SIGTERM');
  const lines: unknown[] = (await ended).stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toContainEqual(expect.objectContaining({ level: 'info', type: 'gateway.listening', url }));
  expect(lines).toContainEqual(expect.objectContaining({ level: 'debug', type: 'session.created', sessionId: id }));
});

test('--log-level silent and --log-format pretty are followed', async () => {
  const home = await createHome();
  const pretty = await startServe(['--api-key', KEY, '--log-format', 'pretty'], { home });
  await pretty.waitFor('stderr', /INFO.*: listening on http:/);
  const silent = await startServe(['--api-key', KEY, '--log-level', 'silent'], { home });
  silent.child.kill('SIGINT');
  expect(await silent.ended).toMatchObject({ code: 0, stderr: '' });
});

test('a host that is not loopback gets a warning of what crosses the network', async () => {
  const home = await createHome();
  const running = await startServe(['--host', '0.0.0.0', '--api-key', KEY], { home });
  await running.waitFor('stderr', /Warning: 0\.0\.0\.0 .* in clear/);
});

test('a port that is taken is told in a sentence, exit 1', async () => {
  const home = await createHome();
  const { url } = await startServe(['--api-key', KEY], { home });
  const { port } = new URL(url);
  const { code, stdout, stderr } = await runCli(['serve', '--port', port, '--upstream', 'direct://'], { home });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(`Port ${port} of 127.0.0.1 is taken`);
  expect(stderr).not.toContain('    at ');
});
