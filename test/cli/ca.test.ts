import { X509Certificate } from 'node:crypto';
import http from 'node:http';
import { access, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { getRequestListener } from '@hono/node-server';
import { expect, onTestFinished, test } from 'vitest';

import { openCertificateAuthority } from '../../src/gateway/certificates/certificate-authority.js';
import { certificateRoute } from '../../src/gateway/routes/certificate.js';
import { json, KEY, plain, serve, unusedAddress } from '../client/one-answer-server.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';
import { createHome, runCli } from './run-cli.js';

/** Starts a server with the route alone. */
async function startRoute(): Promise<{ url: string; pem: string }> {
  const dataDir = await createHome();
  const authority = await openCertificateAuthority({ dataDir, cert: undefined, key: undefined });
  const { fetch } = certificateRoute(async () => authority);
  const server = http.createServer(
    (req, res) => void getRequestListener(fetch, { overrideGlobalObjects: false })(req, res),
  );
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return { url: `http://127.0.0.1:${await listenOnFreePort(server)}`, pem: authority.certificatePem };
}

test('the certificate is printed, the same each time, and the CA made where serve has it', async () => {
  const home = await createHome();
  const first = await runCli(['ca'], { home });
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(new X509Certificate(first.stdout).ca).toBe(true);
  expect(first.stdout).toBe(await readFile(path.join(home, '.session-proxy', 'ca.crt'), 'utf8'));
  expect((await runCli(['ca'], { home })).stdout).toBe(first.stdout);
});

test('several at once print one certificate', async () => {
  const home = await createHome();
  const ends = await Promise.all(Array.from({ length: 3 }, () => runCli(['ca'], { home })));
  expect(new Set(ends.map(({ stdout }) => stdout)).size).toBe(1);
  expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
});

test('--out writes it, over what is there, and says where', async () => {
  const home = await createHome();
  await writeFile(path.join(home, 'ca.pem'), 'before');
  const { code, stdout } = await runCli(['ca', '--data-dir', 'data', '--out', 'ca.pem'], { home });
  expect({ code, stdout }).toEqual({ code: 0, stdout: `The CA certificate is in ${path.join(home, 'ca.pem')}.\n` });
  expect(await readFile(path.join(home, 'ca.pem'), 'utf8')).toBe(
    await readFile(path.join(home, 'data', 'ca.crt'), 'utf8'),
  );
});

test('--out does not write over a private key', async () => {
  const home = await createHome();
  await runCli(['ca'], { home });
  const keyFile = path.join(home, '.session-proxy', 'ca.key');
  const before = await readFile(keyFile, 'utf8');
  const refused = await runCli(['ca', '--out', keyFile], { home });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('holds a private key');
  expect(await readFile(keyFile, 'utf8')).toBe(before);
});

test('a place where it cannot be written is exit 1', async () => {
  const home = await createHome();
  const { code, stdout, stderr } = await runCli(['ca', '--out', 'none/ca.pem'], { home });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(`could not be written to ${path.join(home, 'none', 'ca.pem')}: ENOENT`);
});

test('files of the configuration are taken, wherever it says so', async () => {
  const home = await createHome();
  await openCertificateAuthority({ dataDir: home, cert: undefined, key: undefined });
  const pem = await readFile(path.join(home, 'ca.crt'), 'utf8');
  await writeFile(path.join(home, 'session-proxy.yaml'), 'ca: { cert: ca.crt, key: ca.key }\n');
  expect(await runCli(['ca'], { home })).toMatchObject({ code: 0, stdout: pem });
  const flags = ['--config', '/dev/null', '--ca-cert', 'ca.crt', '--ca-key', 'ca.key'];
  expect(await runCli(['ca', ...flags], { home })).toMatchObject({ code: 0, stdout: pem });
  await expect(access(path.join(home, '.session-proxy'))).rejects.toThrow('ENOENT');
});

test('files that make no CA are exit 2, and nothing of the key is told', async () => {
  const home = await createHome();
  await writeFile(path.join(home, 'ca.key'), '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n');
  const files = ['--ca-cert', 'ca.crt', '--ca-key', 'ca.key'];
  const { code, stdout, stderr } = await runCli(['ca', ...files], { home });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('ca.key: ca.key holds no private key');
  expect(stderr).not.toMatch(/hunter2|BEGIN|    at /);
});

for (const withKey of [false, true]) {
  test(`--url asks that gateway, ${withKey ? 'and its key stays here' : 'without a key too'}`, async () => {
    const { url, pem } = await startRoute();
    const home = await createHome();
    const given = withKey ? url.replace('//', `//${KEY}:@`) : url;
    expect(await runCli(['ca', '--url', given], { home })).toMatchObject({ code: 0, stdout: pem, stderr: '' });
    const environment = { SESSION_PROXY_URL: given };
    expect(await runCli(['ca', '--out', 'x'], { home, environment })).toMatchObject({ code: 0 });
    expect(await readFile(path.join(home, 'x'), 'utf8')).toBe(pem);
    await expect(access(path.join(home, '.session-proxy'))).rejects.toThrow('ENOENT');
  });
}

test('the API key of a URL is not sent', async () => {
  const { url, seen } = await serve(plain(200, ''));
  await runCli(['ca', '--url', url.replace('//', `//${KEY}:@`)], { home: await createHome() });
  expect(seen.map(({ call }) => call)).toEqual(['GET /ca.crt']);
  expect(Buffer.from(String(seen[0]?.authorization).slice(6), 'base64').toString()).not.toContain(KEY);
});

test('a flag that leads to a CA here beats SESSION_PROXY_URL', async () => {
  const home = await createHome();
  const environment = { SESSION_PROXY_URL: (await unusedAddress()).url };
  const { code, stdout } = await runCli(['ca', '--data-dir', 'data'], { home, environment });
  expect(code).toBe(0);
  expect(stdout).toBe(await readFile(path.join(home, 'data', 'ca.crt'), 'utf8'));
});

for (const [name, answer, told] of [
  ['an answer that holds no certificate', plain(200, '<html>'), 'is not one of a gateway'],
  ['a gateway that has none', plain(404, 'no'), 'is not one of a gateway'],
  ['a gateway that fails', json(500, { error: 'internal_error', message: 'no luck' }), 'no luck'],
] as const) {
  test(`${name} is exit 1`, async () => {
    const { url } = await serve(answer);
    const { code, stdout, stderr } = await runCli(['ca', '--url', url], { home: await createHome() });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(told);
  });
}

test('no gateway there is exit 1, and how to start one is told', async () => {
  const { url } = await unusedAddress();
  const { code, stderr } = await runCli(['ca', '--url', url], { home: await createHome() });
  expect(code).toBe(1);
  expect(stderr).toContain('connection refused; is `session-proxy serve` running?');
});

for (const [name, args, told] of [
  ['no URL', ['--url', `${KEY}:@host`], '--url: This is not the URL of a gateway: write http://host:port'],
  ['a URL beside a directory', ['--url', 'http://h:1', '--data-dir', 'x'], 'leave out --data-dir, or --url'],
  ['a key without its certificate', ['--ca-key', 'x'], 'give both'],
] as const) {
  test(`${name} is exit 2`, async () => {
    const { code, stdout, stderr } = await runCli(['ca', ...args], { home: await createHome() });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
    expect(stderr).not.toContain(KEY);
  });
}
