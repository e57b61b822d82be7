import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

import { startTls } from '../../src/upstreams/start-tls.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { createHttpsTarget } from '../support/target-tls.js';
import { createRawTarget } from '../support/target-raw.js';
import { closeLater } from './open-upstream.js';

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const ASK = fileURLToPath(new URL('verified-request.ts', import.meta.url));

test('certificates are held against Node’s roots, NODE_EXTRA_CA_CERTS included, and against the name', async () => {
  const target = closeLater(await createHttpsTarget());
  const directory = await mkdtemp(path.join(tmpdir(), 'session-proxy-roots-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const roots = path.join(directory, 'roots.pem');
  await writeFile(roots, SELF_SIGNED.cert);
  const ask = async (environment: Readonly<Record<string, string>>) => {
    const args = ['--import', TSX, ASK, String(target.port), 'localhost', '127.0.0.1', 'other.test', '127.0.0.2'];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { PATH: process.env['PATH'], HOME: directory, ...environment },
    });
    return stdout.trim().split('\n');
  };
  const trusting = await ask({ NODE_EXTRA_CA_CERTS: roots });
  expect(trusting.slice(0, 2)).toEqual(['localhost: 200', '127.0.0.1: 200']);
  for (const [index, name] of [
    [2, 'other.test'],
    [3, '127.0.0.2'],
  ] as const) {
    expect(trusting[index]).toContain(`the certificate for ${name} is for another name`);
  }
  for (const line of await ask({})) expect(line).toContain('is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)');
  expect(target.seen.map(({ url }) => url)).toEqual(['/localhost', '/127.0.0.1']);
});

for (const [how, leave, code] of [
  ['reset', (socket: net.Socket) => socket.resetAndDestroy(), 'econnreset'],
  ['closed', (socket: net.Socket) => socket.end(), 'socket_closed_remotely'],
] as const) {
  test(`a connection that was ${how} before TLS could start fails at once, not when time is up`, async () => {
    const target = closeLater(await createRawTarget(({ socket }) => void leave(socket)));
    const socket = net.connect(target.port, target.host);
    socket.on('error', () => undefined).resume();
    await once(socket, 'close').catch(() => undefined);
    const { signal } = new AbortController();
    const started = startTls({ socket, name: 'localhost', verify: false, signal, what: 'Connecting', remedy: '' });
    await expect(started).rejects.toMatchObject({ code });
  });
}
