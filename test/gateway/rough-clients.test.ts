// Clients and targets that don't keep to the ways of the well-behaved: nothing of theirs stays open, and nobody else
// gets their bytes.

import { readdirSync, readlinkSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import { API_KEY, startGateway, startTarget, type TestGateway } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer, sendGet, sendRaw } from '../support/raw-client.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

const post = (url: string, password = ''): string => `POST ${url} HTTP/1.1\r\nHost: x\r\n${proxyAuth(password)}`;

/** Starts a TCP target that answers each request with the same bytes. */
async function startBytes(bytes: string): Promise<{ readonly url: string; readonly sockets: ReadonlySet<Socket> }> {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(bytes));
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  });
  return { url: `http://127.0.0.1:${port}/`, sockets };
}

/** Resolves once no session is in use. */
async function untilNoneInUse({ url }: TestGateway): Promise<void> {
  const client = new SessionsClient(url.replace('//', `//${API_KEY}:@`));
  for (;;) {
    const { sessions } = await client.list();
    if (sessions.every(({ expiresAt }) => expiresAt !== null)) return;
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

describe('requests behind one another on a connection', () => {
  for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
    test(`are all given up when their client leaves by ${leave}`, async () => {
      const target = await startTarget((req, res) => void (req.url === '/slow' || res.end('ok')));
      const gateway = await startGateway();
      const get = (path: string, name: string) =>
        `GET ${target.url}${path} HTTP/1.1\r\nHost: x\r\n${proxyAuth(`session-${name}`)}\r\n`;
      const socket = openRaw(gateway.port, get('/slow', 'a') + get('/b', 'b') + get('/c', 'c'));
      await until(() => target.arrivals.length === 3);
      socket[leave]();
      await untilNoneInUse(gateway);
      const settled = gateway.events.filter(({ type }) => type === 'use.settled');
      expect(settled).toHaveLength(3);
    });
  }

  test('a CONNECT among them ends the connection: whose bytes came next, nobody could tell', async () => {
    const target = await startTarget(() => undefined);
    const gateway = await startGateway();
    const connect = `CONNECT ${target.url.slice(7)} HTTP/1.1\r\n${proxyAuth('session-b')}\r\n`;
    const socket = openRaw(gateway.port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-a')}\r\n`);
    await until(() => target.arrivals.length === 1);
    socket.write(connect);
    await expect(readAnswer(socket)).rejects.toThrow('ended with ""');
    await untilNoneInUse(gateway);
  });

  test('garbage behind a held one ends the connection, and the target is left alone', async () => {
    const target = await startTarget();
    const gateway = await startGateway({ delays: { default: '60s' }, upstreams: ['local://127.0.0.2'] });
    await sendGet(gateway.port, target.url);
    const head = `${post(`${target.url}/held`, 'session-a')}Content-Length: 1\r\n\r\n`;
    await expect(readAnswer(openRaw(gateway.port, `${head}ab garbage\r\n\r\n`))).rejects.toThrow('ended with ""');
    await untilNoneInUse(gateway);
    expect(target.arrivals).toHaveLength(1);
  });
});

describe('a target that answers before it has read the body', () => {
  test('its answer arrives, and the connection serves the next request', async () => {
    const target = await startTarget((_, res) => {
      res.writeHead(413, { 'Content-Length': 3 }).end('big');
    });
    const { port } = await startGateway();
    const socket = openRaw(port, `${post(target.url)}Content-Length: 4000000\r\n\r\n${'x'.repeat(1_000_000)}`);
    expect(await readAnswer(socket)).toMatchObject({ status: 413, body: 'big' });
    socket.write(`${'x'.repeat(3_000_000)}GET ${target.url}/next HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    expect((await readAnswer(socket)).status).toBe(413);
  });

  test('leaves no open file of a body that was held', async () => {
    const target = await startTarget((_, res) => {
      res.writeHead(413, { 'Content-Length': 0, Connection: 'close' }).end();
    });
    const { port } = await startGateway({ delays: { default: '100ms' }, upstreams: ['local://127.0.0.2'] });
    for (let index = 0; index < 4; index += 1) {
      const body = 'x'.repeat(1_000_000);
      await sendRaw(port, `${post(target.url)}Content-Length: ${body.length}\r\n\r\n${body}`);
    }
    const openFiles = () =>
      readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          // It was closed while we looked.
          return [];
        }
      });
    await until(() => !openFiles().some((file) => file.includes('session-proxy-body-')));
  });
});

describe('an answer that can not be passed on is 502 send_failed, and its connection is let go', () => {
  for (const [name, bytes] of [
    ['a status below 100', 'HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n'],
    ['a switch nobody asked for', 'HTTP/1.1 101 X\r\n\r\n'],
    ['control characters in the reason', 'HTTP/1.1 200 O\u0001K\r\nContent-Length: 0\r\n\r\n'],
    ['a coding of this hop', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ] as const) {
    test(name, async () => {
      const { port } = await startGateway();
      const { url, sockets } = await startBytes(bytes);
      const answer = await sendGet(port, url);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'send_failed']);
      await until(() => sockets.size === 0);
    });
  }
});

describe('the limit of a body', () => {
  test('holds for chunks that are not held, and for those that come after the hold', async () => {
    const target = await startTarget((req) => void req.resume());
    const { port } = await startGateway({
      limits: { requestBytes: '64KB' },
      delays: { default: '200ms' },
      upstreams: ['local://127.0.0.2'],
    });
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const atOnce = openRaw(port, `${post(target.url)}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`);
    expect((await readAnswer(atOnce)).header('X-Crawlera-Error')).toBe('request_too_large');
    const held = openRaw(port, `${post(`${target.url}/held`)}Transfer-Encoding: chunked\r\n\r\n${chunk}`);
    await until(() => target.arrivals.some(({ url }) => url === '/held'));
    held.write(chunk);
    expect((await readAnswer(held)).header('X-Crawlera-Error')).toBe('request_too_large');
  });

  test('a body in another transfer coding is refused', async () => {
    const { port } = await startGateway();
    const answer = await sendRaw(
      port,
      `${post('http://127.0.0.1:9/')}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    );
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([400, 'bad_request']);
  });
});

test('bodies that are held for a few milliseconds only arrive whole', async () => {
  const target = await startTarget();
  const { port } = await startGateway({ delays: { default: '5ms' }, upstreams: ['local://127.0.0.2'] });
  const body = 'abcdefgh'.repeat(25_000);
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => sendRaw(port, `${post(target.url)}Content-Length: ${body.length}\r\n\r\n${body}`)),
  );
  expect(answers.filter((answer) => answer.body !== body)).toEqual([]);
});

test('an expectation other than 100-continue is not ours to refuse', async () => {
  const target = await startTarget();
  const { port } = await startGateway();
  expect((await sendGet(port, target.url, 'Expect: the-unexpected\r\n')).status).toBe(200);
  expect(target.arrivals[0]?.rawHeaders).not.toContain('Expect');
});

test('a client without API key learns nothing of what is wrong with its target', async () => {
  const { port } = await startGateway();
  expect((await sendRaw(port, 'GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(407);
});

test('a CONNECT with a flood behind it is refused while it is held', async () => {
  const target = await startTarget();
  const { port } = await startGateway({ delays: { default: '60s' }, upstreams: ['local://127.0.0.2'] });
  await sendGet(port, target.url);
  const connect = `CONNECT ${target.url.slice(7)} HTTP/1.1\r\n${proxyAuth('session-a')}\r\n${'x'.repeat(100_000)}`;
  const answer = await readAnswer(openRaw(port, connect));
  expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([400, 'bad_request']);
});
