import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { Gateway } from '../../src/gateway/index.js';
import { createHome, runCli } from './run-cli.js';

const KEY = 'configured-key';

async function createGateway(): Promise<{ url: string; port: string; client: SessionsClient }> {
  const gateway = new Gateway({ port: 0, apiKeys: [KEY], upstreams: ['local://127.0.0.2'], log: { level: 'silent' } });
  await gateway.listen();
  onTestFinished(() => gateway.close());
  return { url: gateway.proxyUrl, port: new URL(gateway.url).port, client: new SessionsClient(gateway.proxyUrl) };
}

test('create prints the bare ID', async () => {
  const { url, client } = await createGateway();
  const { code, stdout } = await runCli(['sessions', 'create', '--url', url], { home: await createHome() });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\d+\n$/);
  expect(await client.get(stdout.trim())).toMatchObject({ outgoingIp: '127.0.0.2' });
});

test('list prints a table', async () => {
  const { url, client } = await createGateway();
  const named = await client.create({ name: 'checkout' });
  const { id } = await client.create();
  const { code, stdout } = await runCli(['sessions', 'list', '--url', url], { home: await createHome() });
  expect(code).toBe(0);
  const [headings, ...rows] = stdout.trimEnd().split('\n');
  expect(headings).toMatch(/^ID +NAME +OUTGOING IP +USES +NEXT USE IN +EXPIRES AT$/);
  const cells = rows.map((row) => row.split(/ {2,}/));
  expect(cells).toContainEqual([named.id, 'checkout', '127.0.0.2', '0', 'now', named.expiresAt]);
  expect(cells).toContainEqual([id, '-', '127.0.0.2', '0', 'now', expect.any(String)]);
});

test('list says when there is nothing, and --json prints a list all the same', async () => {
  const environment = { SESSION_PROXY_URL: (await createGateway()).url };
  const home = await createHome();
  expect((await runCli(['sessions', 'list'], { home, environment })).stdout).toBe('There are no sessions.\n');
  expect((await runCli(['sessions', 'list', '--json'], { home, environment })).stdout).toBe('[]\n');
});

test('list --json prints the sessions as the API gives them', async () => {
  const { url, client } = await createGateway();
  const session = await client.create();
  const { stdout } = await runCli(['sessions', 'list', '--json', '--url', url], { home: await createHome() });
  expect(JSON.parse(stdout)).toEqual([session]);
});

test('delete ends a session; one that is unknown is exit 1', async () => {
  const { url, client } = await createGateway();
  const { id } = await client.create();
  const home = await createHome();
  expect(await runCli(['sessions', 'delete', id, '--url', url], { home })).toMatchObject({
    code: 0,
    stdout: `Deleted session ${id}.\n`,
  });
  const again = await runCli(['sessions', 'delete', id, '--url', url], { home });
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toContain(`There is no session ${id}`);
});

test('delete --all says how many, across the pages of the list', async () => {
  const { url, client } = await createGateway();
  await Promise.all(Array.from({ length: 150 }, () => client.create()));
  const home = await createHome();
  expect(await runCli(['sessions', 'delete', '--all', '--url', url], { home })).toMatchObject({
    code: 0,
    stdout: 'Deleted 150 sessions.\n',
  });
  expect(await client.listPlain()).toEqual({});
});

test('without a URL the configuration of serve is read, its upstreams aside', async () => {
  const { port } = await createGateway();
  const home = await createHome();
  await writeFile(path.join(home, 'session-proxy.yaml'), `host: 0.0.0.0\nport: ${port}\napiKeys: [${KEY}]\n`);
  expect(await runCli(['sessions', 'list'], { home })).toMatchObject({ code: 0, stdout: 'There are no sessions.\n' });
  expect(await runCli(['key'], { home })).toMatchObject({ code: 0, stdout: `${KEY}\n` });
});

for (const flag of ['--port', '--config', '--api-key', '--data-dir', '--host']) {
  test(`${flag} beats SESSION_PROXY_URL`, async () => {
    const { port } = await createGateway();
    const home = await createHome();
    // Each leads to the gateway with what the others say in the file.
    const settings = `host: 127.0.0.1\nport: ${port}\n`;
    await writeFile(path.join(home, 'session-proxy.yaml'), `${settings}apiKeys: [${KEY}]\n`);
    await writeFile(path.join(home, 'no-key.yaml'), settings);
    await writeFile(path.join(home, 'api-key'), KEY);
    const args = {
      '--port': ['--port', port],
      '--config': ['--config', 'session-proxy.yaml'],
      '--api-key': ['--api-key', KEY],
      '--data-dir': ['--data-dir', home, '--config', 'no-key.yaml'],
      '--host': ['--host', 'localhost'],
    }[flag];
    const environment = { SESSION_PROXY_URL: 'http://wrong-key-1:@127.0.0.1:1' };
    expect(await runCli(['sessions', 'list', ...(args ?? [])], { home, environment })).toMatchObject({
      code: 0,
      stdout: 'There are no sessions.\n',
    });
  });
}

test('a wrong key is told, and not repeated', async () => {
  const { port } = await createGateway();
  const { code, stderr } = await runCli(['sessions', 'list', '--url', `http://wrong-key-1:@127.0.0.1:${port}`], {
    home: await createHome(),
  });
  expect(code).toBe(1);
  expect(stderr).toContain('refused the API key (401 bad_auth)');
  expect(stderr).not.toContain('wrong-key-1');
});

test('no gateway there is exit 1, and how to start one is told', async () => {
  const { url } = await createGateway();
  const { port } = new URL(url);
  const { code, stderr } = await runCli(['sessions', 'list', '--url', `http://${KEY}:@127.0.0.3:${port}`], {
    home: await createHome(),
  });
  expect(code).toBe(1);
  expect(stderr).toContain('connection refused; is `session-proxy serve` running?');
});

for (const command of [['key'], ['sessions', 'list']]) {
  test(`${command.join(' ')} before the first start is exit 1 and says what to do`, async () => {
    const { code, stdout, stderr } = await runCli(command, { home: await createHome() });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('start `session-proxy serve` once');
  });
}
