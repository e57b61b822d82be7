import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { Gateway } from '../../src/gateway/index.js';
import { createHttpProxy, type HttpProxyOptions } from '../support/proxy-http.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';
import { closedPort } from '../support/target-raw.js';
import { createHome, runCli } from './run-cli.js';

async function startProxy(options: HttpProxyOptions = {}): Promise<string> {
  const proxy = await createHttpProxy(options);
  onTestFinished(() => proxy.close());
  return `127.0.0.1:${proxy.port}`;
}

async function startSocks(): Promise<string> {
  const proxy = await createSocksProxy();
  onTestFinished(() => proxy.close());
  return `127.0.0.1:${proxy.port}`;
}

/** A service that answers with the address it sees. */
async function startEcho(status = 200): Promise<string> {
  const server = http.createServer((req, res) => res.writeHead(status).end(req.socket.remoteAddress));
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return `http://127.0.0.1:${port}/`;
}

/** Asks for a URL through a gateway, and waits for the end of the answer. */
function getThrough(gateway: Gateway, url: string): Promise<void> {
  const { port } = new URL(gateway.url);
  const authorization = `Basic ${Buffer.from('configured-key:').toString('base64')}`;
  const headers = { 'proxy-authorization': authorization, host: new URL(url).host };
  return new Promise((resolve, reject) => {
    const asked = http.get({ port, host: '127.0.0.1', path: url, headers });
    asked.on('response', (answer) => answer.resume().on('end', resolve)).on('error', reject);
  });
}

/** Runs `check` over a configuration. */
async function check(configuration: object, args: readonly string[] = []) {
  const home = await createHome();
  await writeFile(path.join(home, 'session-proxy.yaml'), JSON.stringify(configuration));
  return runCli(['check', ...args], { home });
}

function rowsOf(stdout: string): readonly (readonly string[])[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}

test('check binds addresses of this machine and asks nobody', async () => {
  const { code, stdout, stderr } = await check({
    upstreams: ['local://127.0.0.2', 'local://127.0.4.0/24', 'direct://'],
  });
  expect(rowsOf(stdout)).toEqual([
    ['UPSTREAM', 'KIND', 'STATE', 'TIME', 'OUTGOING IP', 'REMARK'],
    ['127.0.0.2', 'local', 'ok', expect.stringMatching(/^\d+ ms$/), '127.0.0.2', 'can be left from'],
    ['127.0.4.0/24', 'prefix', 'ok', expect.any(String), expect.stringMatching(/^127\.0\.4\.\d+$/), expect.any(String)],
    ['direct', 'direct', 'ok', expect.any(String), '-', 'not asked: no URL to ask is configured'],
  ]);
  expect([code, stderr]).toEqual([0, '']);
});

test('check connects to proxies without a URL to ask, and says that it did no more', async () => {
  const [proxy, socks, dead] = [await startProxy({ credentials: 'a:b' }), await startSocks(), await closedPort()];
  const { code, stdout, stderr } = await check({
    upstreams: [`http://${proxy}`, `socks5://${socks}`, `http://me:secretpw@127.0.0.1:${dead}`],
  });
  const [, first, second, third] = rowsOf(stdout);
  const remark = 'accepts connections; credentials not tried: no URL to ask is configured';
  expect(first).toEqual([proxy, 'http', 'ok', expect.any(String), '-', remark]);
  expect(second).toEqual([socks, 'socks5', 'ok', expect.any(String), '-', remark]);
  expect(third?.slice(0, 3)).toEqual([`127.0.0.1:${dead}`, 'http', 'faulty']);
  expect(third?.[5]).toContain('the connection was refused');
  expect(stderr).toBe('session-proxy: 1 of 3 upstreams does not work\n');
  expect(code).toBe(1);
  expect(stdout + stderr).not.toContain('secretpw');
});

test('check asks for the configured URL all the way, and tells outgoing IPs', async () => {
  const [open, closed, socks] = [await startProxy(), await startProxy({ credentials: 'me:right' }), await startSocks()];
  const { code, stdout, stderr } = await check(
    {
      upstreams: [`http://${open}`, `http://me:wrongpw@${closed}`, `socks5://${socks}`],
      outgoingIps: { echoUrl: await startEcho() },
      targets: { allowPrivate: true },
    },
    ['--json'],
  );
  const lines: unknown = JSON.parse(stdout);
  const tookMs: unknown = expect.any(Number);
  expect(lines).toEqual([
    { upstream: open, kind: 'http', state: 'ok', tookMs, outgoingIp: '127.0.0.1', remark: 'answered 200' },
    {
      upstream: closed,
      kind: 'http',
      state: 'faulty',
      tookMs,
      outgoingIp: null,
      remark: `Upstream ${closed} refused its credentials; check its URL in the configuration`,
    },
    { upstream: socks, kind: 'socks5', state: 'ok', tookMs, outgoingIp: '127.0.0.1', remark: 'answered 200' },
  ]);
  expect(code).toBe(1);
  expect(stdout + stderr).not.toContain('wrongpw');
});

test('check takes an error for the URL that probes ask for as a fault', async () => {
  const { code, stdout } = await check({
    upstreams: [`http://${await startProxy()}`],
    health: { probe: { url: await startEcho(503) } },
  });
  expect(rowsOf(stdout)[1]?.[5]).toMatch(/^http:.* was answered with 503$/);
  expect(code).toBe(1);
});

test('check takes upstreams from a list, too, and tells a bad line of it', async () => {
  const home = await createHome();
  await writeFile(path.join(home, 'list.txt'), '# ours\nlocal://127.0.0.3\n');
  const args = ['check', '--upstream', 'local://127.0.0.2', '--upstreams-file', 'list.txt'];
  const good = await runCli(args, { home });
  expect(rowsOf(good.stdout).map(([name]) => name)).toEqual(['UPSTREAM', '127.0.0.2', '127.0.0.3']);
  expect(good.code).toBe(0);
  await writeFile(path.join(home, 'list.txt'), 'local://127.0.0.3\nnonsense\n');
  const bad = await runCli(args, { home });
  expect(bad.stderr).toContain('line 2');
  expect(bad.code).toBe(2);
});

describe('check refuses with exit code 2', () => {
  for (const [name, args, told] of [
    ['a bad upstream', ['--upstream', 'ftp://127.0.0.1'], /no kind of upstream/],
    ['no upstream', [], /no upstream is configured/],
    ['a URL that is no gateway', ['--url', '127.0.0.1:1'], /--url: This is not the URL of a gateway/],
    [
      'a URL beside a configuration',
      ['--url', 'http://k:@127.0.0.1:1', '--delay', '1s'],
      /leave out --delay, or --url/,
    ],
  ] as const) {
    test(name, async () => {
      const { code, stderr } = await runCli(['check', ...args], { home: await createHome() });
      expect(stderr).toMatch(told);
      expect(code).toBe(2);
    });
  }
});

test('check --url shows how the upstreams of a running gateway are', async () => {
  const dead = await closedPort();
  const upstreams = ['local://127.0.0.2', `http://me:secretpw@127.0.0.1:${dead}`];
  const gateway = new Gateway({
    port: 0,
    apiKeys: ['configured-key'],
    upstreams,
    delays: { default: 0 },
    targets: { allowPrivate: true },
  });
  await gateway.listen();
  onTestFinished(() => gateway.close());
  const home = await createHome();
  const environment = { SESSION_PROXY_URL: gateway.proxyUrl };
  const healthy = await runCli(['check'], { home, environment });
  expect(rowsOf(healthy.stdout)).toEqual([
    ['UPSTREAM', 'STATE', 'OUTGOING IP', 'REMARK'],
    ['127.0.0.2', 'up', '127.0.0.2'],
    [`127.0.0.1:${dead}`, 'up', '-'],
  ]);
  expect(healthy.code).toBe(0);
  const target = await startEcho();
  for (let sent = 0; sent < 8; sent += 1) {
    // oxlint-disable-next-line no-await-in-loop
    await getThrough(gateway, target);
  }
  const { code, stdout, stderr } = await runCli(['check', '--url', gateway.proxyUrl], { home });
  expect(code).toBe(1);
  expect(rowsOf(stdout)[2]?.[0]).toBe(`127.0.0.1:${dead}`);
  expect(rowsOf(stdout)[2]?.[1]).toMatch(/^(?:down|trial)$/);
  expect(stdout).toContain('the connection was refused');
  expect(stdout + stderr).not.toContain('secretpw');
});
