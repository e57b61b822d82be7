import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { createRawTarget } from '../support/target-raw.js';
import type { RawConnection } from '../support/target-raw.js';
import { createHome, startServe } from './run-cli.js';

const KEY = 'configured-key';

/** A target that takes requests and answers none; `reached` resolves when one has come. */
async function createSilentTarget(): Promise<{ readonly url: string; readonly reached: Promise<unknown> }> {
  let tell: (connection: RawConnection) => void = () => undefined;
  const connected = new Promise<RawConnection>((resolve) => (tell = resolve));
  const target = await createRawTarget((connection) => tell(connection));
  onTestFinished(() => target.close());
  const reached = connected.then((connection) => connection.received('\r\n\r\n'));
  return { url: `http://127.0.0.1:${target.port}/`, reached };
}

/** Sends a request through a proxy; its answer or failure is of no interest. */
function requestThrough(proxyUrl: string, target: string): void {
  const { hostname, port } = new URL(proxyUrl);
  const authorization = `Basic ${Buffer.from(`${KEY}:`).toString('base64')}`;
  const headers = { host: new URL(target).host, 'proxy-authorization': authorization };
  const request = http.request({ host: hostname, port, path: target, headers, agent: false });
  request.on('error', () => undefined).on('response', (response) => response.resume());
  request.end();
  onTestFinished(() => void request.destroy());
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends an idle gateway with 0`, async () => {
    const { child, ended } = await startServe(['--api-key', KEY], { home: await createHome() });
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 0 });
  });
}

test('a second signal ends it at once, whatever still runs', async () => {
  const target = await createSilentTarget();
  const home = await createHome();
  const environment = { SESSION_PROXY_CONFIG: 'long.yaml' };
  await writeFile(path.join(home, 'long.yaml'), 'drainTimeout: 1h\ntimeouts: { response: 1h }\n');
  const running = await startServe(['--api-key', KEY, '--allow-private'], { home, environment });
  requestThrough(running.url, target.url);
  await target.reached;
  running.child.kill('SIGTERM');
  await running.waitFor('stderr', /gateway\.closing/);
  running.child.kill('SIGTERM');
  expect(await running.ended).toMatchObject({ code: 1 });
});

test('what still runs after the drain timeout is cut, exit 0, and its use is logged', async () => {
  const target = await createSilentTarget();
  const home = await createHome();
  await writeFile(path.join(home, 'session-proxy.yaml'), 'drainTimeout: 0\ntimeouts: { response: 1h }\n');
  const running = await startServe(['--api-key', KEY, '--allow-private'], { home });
  requestThrough(running.url, target.url);
  await target.reached;
  running.child.kill('SIGTERM');
  const { code, stderr } = await running.ended;
  expect(code).toBe(0);
  expect(stderr).toContain(`"target":"${new URL(target.url).host}"`);
});
