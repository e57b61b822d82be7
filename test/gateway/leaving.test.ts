import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { GatewayEvent } from '../../src/gateway/index.js';
import { SessionsClient } from '../../src/client/index.js';
import { API_KEY, startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer, sendGet } from '../support/raw-client.js';

const DELAY_MS = 1000;
/** How soon after its client has left a slot must be back. */
const BACK_WITHIN_MS = 100;

const gaveUp = (event: GatewayEvent): boolean => event.type === 'use.settled' && event.error === 'client_conn_closed';

const MEGABYTE = 'a'.repeat(1024 * 1024);

beforeEach(() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'leaving-'));
  vi.stubEnv('TMPDIR', folder);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
});

/** Resolves once the temporary folder of this test is empty. */
async function noFilesLeft(): Promise<void> {
  while (readdirSync(tmpdir()).length > 0) await setImmediate();
}

// Real time on a machine that may be busy with other things: once more where it was.
describe('a client that leaves while its request is held', { retry: 1 }, () => {
  for (const [what, requestTo] of [
    ['a GET', (url: string) => `GET ${url}/left HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-a')}\r\n`],
    [
      'a POST of 1 MiB',
      (url: string) =>
        `POST ${url}/left HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-a')}Content-Length: ${MEGABYTE.length}\r\n\r\n${MEGABYTE}`,
    ],
    [
      'a POST in chunks, not yet complete',
      (url: string) =>
        `POST ${url}/left HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-a')}Transfer-Encoding: chunked\r\n\r\n100000\r\n${MEGABYTE}\r\n`,
    ],
    ['a CONNECT', (url: string) => `CONNECT ${url.slice(7)} HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-a')}\r\n`],
    [
      'a CONNECT with bytes behind it',
      (url: string) =>
        `CONNECT ${url.slice(7)} HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-a')}\r\nGET /left HTTP/1.1\r\nHost: x\r\n\r\n`,
    ],
  ] as const) {
    for (const [how, leave] of [
      ['by FIN', (socket: Socket) => socket.end()],
      ['by RST', (socket: Socket) => socket.resetAndDestroy()],
    ] as const) {
      test(`${what}, ${how}: its slot is back at once, the next moves up, the target is left alone`, async () => {
        const target = await startTarget();
        const { port, url, event } = await startGateway({
          delays: { default: '1s' },
          upstreams: ['local://127.0.0.2'],
        });
        const client = new SessionsClient(url.replace('//', `//${API_KEY}:@`));
        const first = await sendGet(port, target.url, '', 'session-a');
        const id = first.header('X-Crawlera-Session') ?? '';
        const startedAtMs = target.arrivals[0]?.atMs ?? 0;

        const leaving = openRaw(port, requestTo(target.url));
        await heldUses(client, id, 2);
        const follower = openRaw(port, `GET ${target.url}/next HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-a')}\r\n`);
        await heldUses(client, id, 3);

        const leftAtMs = performance.now();
        leave(leaving);
        const settled = await event(gaveUp);
        expect(performance.now() - leftAtMs).toBeLessThan(BACK_WITHIN_MS);
        expect(settled).toMatchObject({ status: undefined, sessionId: id });

        await readAnswer(follower);
        expect(target.arrivals.map((arrival) => arrival.url)).toEqual(['/', '/next']);
        expect(target.connections()).toBe(1);
        const gapMs = (target.arrivals[1]?.atMs ?? 0) - startedAtMs;
        expect(gapMs).toBeGreaterThanOrEqual(DELAY_MS - 20);
        expect(gapMs).toBeLessThan(DELAY_MS + 300);
        expect(await client.get(id)).toMatchObject({ uses: 2 });
        await noFilesLeft();
      });
    }
  }

  test('a create that is given up leaves no session', async () => {
    const target = await startTarget();
    const { port, url, event } = await startGateway({ delays: { default: '60s' }, upstreams: ['local://127.0.0.2'] });
    const client = new SessionsClient(url.replace('//', `//${API_KEY}:@`));
    await sendGet(port, target.url);
    const leaving = openRaw(
      port,
      `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}X-Crawlera-Session: create\r\n\r\n`,
    );
    await event((candidate) => candidate.type === 'session.created');
    leaving.destroy();
    await event((candidate) => candidate.type === 'session.ended');
    expect((await client.list()).sessions).toEqual([]);
  });

  test('a held body arrives whole', async () => {
    const target = await startTarget();
    const { port } = await startGateway({ delays: { default: '300ms' }, upstreams: ['local://127.0.0.2'] });
    await sendGet(port, target.url);
    const body = MEGABYTE.replaceAll('aaaa', 'abcd');
    const head = `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}Content-Length: ${body.length}\r\n\r\n`;
    const socket = openRaw(port, head + body.slice(0, 700_000));
    setTimeout(() => socket.write(body.slice(700_000)), 400);
    const answer = await readAnswer(socket);
    expect(answer.body === body).toBe(true);
    await noFilesLeft();
  });

  test('a held body above the limit is 413, and its slot is given back', async () => {
    const target = await startTarget();
    const { port, event } = await startGateway({
      delays: { default: '60s' },
      limits: { requestBytes: '128KB' },
      upstreams: ['local://127.0.0.2'],
    });
    await sendGet(port, target.url);
    const head = `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}`;
    const chunked = await readAnswer(
      openRaw(port, `${head}Transfer-Encoding: chunked\r\n\r\n100000\r\n${MEGABYTE}\r\n`),
    );
    expect([chunked.status, chunked.header('X-Crawlera-Error')]).toEqual([413, 'request_too_large']);
    const declared = await readAnswer(openRaw(port, `${head}Content-Length: ${MEGABYTE.length}\r\n\r\n`));
    expect([declared.status, declared.header('X-Crawlera-Error')]).toEqual([413, 'request_too_large']);
    await event((candidate) => candidate.type === 'use.settled' && candidate.error === 'request_too_large');
    expect(target.arrivals).toHaveLength(1);
  });
});

/** Resolves once a session has that many uses, held ones included: each is booked then. */
async function heldUses(client: SessionsClient, id: string, uses: number): Promise<void> {
  for (;;) {
    const session = await client.get(id);
    if (session?.uses === uses) return;
  }
}
