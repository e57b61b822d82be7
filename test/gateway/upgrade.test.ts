// Requests for another protocol, such as WebSocket: plain and intercepted, through every kind of upstream, switched to
// and declined.

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { VERSION } from '../../src/protocol/version.js';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { createSession, enterTunnel, TRUSTING, until } from '../support/intercepted.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { openRaw, proxyAuth, readAnswer } from '../support/raw-client.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';
import { createRawTarget, RawConnection } from '../support/target-raw.js';

const UPGRADE = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const SWITCHED = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  '\r\n',
].join('\r\n');

type OnUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Switches, and sends everything back. */
const echo: OnUpgrade = (_, socket, head) => {
  socket.on('error', () => undefined);
  socket.write(SWITCHED);
  socket.write(head);
  socket.pipe(socket);
};

interface Place {
  readonly authority: string;
  readonly isSecure: boolean;
}

interface UpgradeTarget extends Place {
  readonly requests: readonly IncomingMessage[];
}

async function startUpgradeTarget(isSecure: boolean, onUpgrade: OnUpgrade = echo): Promise<UpgradeTarget> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Duplex>();
  const server = isSecure ? https.createServer(SELF_SIGNED) : http.createServer();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    requests.push(req);
    onUpgrade(req, socket, head);
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  });
  return { authority: `127.0.0.1:${port}`, isSecure, requests };
}

/** Opens a connection that is ready for a request, in a tunnel where the target has TLS. */
async function openFor({ port }: TestGateway, { authority, isSecure }: Place): Promise<RawConnection> {
  return new RawConnection(isSecure ? await enterTunnel(port, authority) : openRaw(port, ''));
}

function requestFor({ authority, isSecure }: Place, fields = '', method = 'GET'): string {
  const url = isSecure ? '/chat' : `http://${authority}/chat`;
  return `${method} ${url} HTTP/1.1\r\nHost: ${authority}\r\n${isSecure ? '' : proxyAuth()}${UPGRADE}${fields}\r\n`;
}

function plainPlace(port: number): Place {
  return { authority: `127.0.0.1:${port}`, isSecure: false };
}

async function viaOf(kind: 'itself' | 'an http proxy' | 'a socks proxy'): Promise<GatewayOptions> {
  if (kind === 'itself') return TRUSTING;
  const proxy = await (kind === 'an http proxy' ? createHttpProxy() : createSocksProxy());
  onTestFinished(() => proxy.close());
  const scheme = kind === 'an http proxy' ? 'http' : 'socks5';
  return { ...TRUSTING, upstreams: [`${scheme}://127.0.0.1:${proxy.port}`] };
}

for (const isSecure of [false, true]) {
  describe(`a request for another protocol, ${isSecure ? 'intercepted' : 'in the clear'}`, () => {
    for (const kind of ['itself', 'an http proxy', 'a socks proxy'] as const) {
      test(`is switched by its target, asked through ${kind}; then bytes pass both ways`, async () => {
        const [gateway, target] = [await startGateway(await viaOf(kind)), await startUpgradeTarget(isSecure)];
        const client = await openFor(gateway, target);
        client.socket.write(`${requestFor(target)}early `);
        await client.received('early ');
        client.socket.write('late');
        const text = await client.received('early late');
        expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLM/);
        expect(text).toContain(`\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Crawlera-Version: ${VERSION}\r\n`);
        expect(target.requests[0]?.url).toBe('/chat');
        client.socket.end();
        await client.end();
        expect(await gateway.event(({ type }) => type === 'use.settled')).toMatchObject({
          kind: 'request',
          status: 101,
        });
      });
    }

    test('takes part in its session, and tells its target nothing of that', async () => {
      const [gateway, target] = [await startGateway(TRUSTING), await startUpgradeTarget(isSecure)];
      const id = await createSession(gateway.port);
      const client = await openFor(gateway, target);
      client.socket.write(requestFor(target, `X-Crawlera-Session: ${id}\r\nX-CRAWLERA-Unknown: 1\r\nX-Kept: 1\r\n`));
      const text = await client.received('\r\n\r\n');
      expect(text).toContain(`\r\nX-Crawlera-Session: ${id}\r\nX-Crawlera-Slave: 127.0.0.`);
      const names = target.requests[0]?.rawHeaders.filter((_, index) => index % 2 === 0);
      expect(names).toEqual(['Host', 'Sec-WebSocket-Key', 'X-Kept', 'Upgrade', 'Connection']);
    });

    test('whose target declines gets the answer like any other, and the connection is closed', async () => {
      const target = await startUpgradeTarget(isSecure, (_, socket) => {
        socket.end(
          'HTTP/1.1 426 No\r\nX-Own: 1\r\nX-Crawlera-Fake: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
        );
      });
      const gateway = await startGateway(TRUSTING);
      const client = await openFor(gateway, target);
      client.socket.write(requestFor(target));
      await client.end();
      expect(client.text).toMatch(/^HTTP\/1\.1 426 No\r\nX-Own: 1\r\nX-Crawlera-Version/);
      expect(client.text).toContain('\r\nConnection: close\r\n');
      expect(client.text).toContain('\r\n\r\n2\r\nno\r\n0\r\n\r\n');
      expect(client.text).not.toContain('Fake');
      expect(await gateway.event(({ type }) => type === 'use.settled')).toMatchObject({
        status: 426,
        error: undefined,
      });
    });

    test('is refused for a session that is none', async () => {
      const [gateway, target] = [await startGateway(TRUSTING), await startUpgradeTarget(isSecure)];
      const client = await openFor(gateway, target);
      client.socket.write(requestFor(target, 'X-Crawlera-Session: 404\r\n'));
      await client.end();
      expect(client.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\nX-Crawlera-Error: bad_session_id\r\n/);
      expect(target.requests).toEqual([]);
    });

    test('is refused with a body, which could not be told from the other protocol', async () => {
      const [gateway, target] = [await startGateway(TRUSTING), await startUpgradeTarget(isSecure)];
      const client = await openFor(gateway, target);
      client.socket.write(`${requestFor(target, 'Content-Length: 4\r\n', 'POST')}body`);
      await client.end();
      expect(client.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\nX-Crawlera-Error: bad_request\r\n/);
    });

    test('that is given up before its answer leaves neither use nor connection behind', async () => {
      for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
        let gone = false;
        const target = await startUpgradeTarget(isSecure, (_, socket) => {
          const onGone = (): void => void (gone = true);
          socket.on('error', onGone).on('end', onGone).resume();
        });
        const gateway = await startGateway(TRUSTING);
        const client = await openFor(gateway, target);
        client.socket.write(requestFor(target));
        await until(() => target.requests.length === 1);
        if (leave === 'resetAndDestroy' && isSecure) continue;
        client.socket[leave]();
        const settled = await gateway.event(({ type }) => type === 'use.settled');
        expect(settled).toMatchObject({ error: 'client_conn_closed', status: undefined });
        await until(() => gone);
      }
    });

    test('that floods before its answer is refused', async () => {
      const target = await startUpgradeTarget(isSecure, () => undefined);
      const gateway = await startGateway(TRUSTING);
      const client = await openFor(gateway, target);
      client.socket.write(requestFor(target) + 'x'.repeat(70_000));
      await client.end();
      expect(client.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\nX-Crawlera-Error: bad_request\r\n/);
    });
  });
}

describe('the half-close of a switched connection', () => {
  for (const isSecure of [false, true]) {
    test(`passes from the client, ${isSecure ? 'intercepted' : 'in the clear'}; the target can still answer`, async () => {
      const target = await startUpgradeTarget(isSecure, (_, socket) => {
        (socket as Socket).allowHalfOpen = true;
        socket.write(SWITCHED);
        socket.resume().on('end', () => socket.end('after the end'));
      });
      const gateway = await startGateway(TRUSTING);
      const client = await openFor(gateway, target);
      client.socket.allowHalfOpen = true;
      client.socket.write(requestFor(target));
      await client.received('\r\n\r\n');
      client.socket.end();
      await client.received('after the end');
      await gateway.event(({ type }) => type === 'use.settled');
    });

    test(`and an end of the target passes to the client, ${isSecure ? 'intercepted' : 'in the clear'}`, async () => {
      const target = await startUpgradeTarget(isSecure, (_, socket) => socket.end(`${SWITCHED}bye`));
      const gateway = await startGateway(TRUSTING);
      const client = await openFor(gateway, target);
      client.socket.write(requestFor(target));
      await client.end();
      expect(client.text.endsWith('\r\n\r\nbye')).toBe(true);
      client.socket.end();
      await gateway.event(({ type }) => type === 'use.settled');
    });
  }
});

describe('the answer of a target that declines', () => {
  const declining = (bytes: string) =>
    createRawTarget(({ socket }) => void socket.once('data', () => socket.write(bytes)));

  test('is cut where its client leaves, which is no failure of the gateway', async () => {
    const target = await declining('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin');
    onTestFinished(() => target.close());
    const gateway = await startGateway();
    const client = new RawConnection(openRaw(gateway.port, requestFor(plainPlace(target.port))));
    await client.received('begin');
    client.socket.resetAndDestroy();
    const settled = await gateway.event(({ type }) => type === 'use.settled');
    expect(settled).toMatchObject({ error: 'client_conn_closed' });
    await target.connections[0]?.end();
    expect(gateway.events.filter(({ type }) => type === 'gateway.failure')).toEqual([]);
  });

  for (const [name, head, status, error] of [
    ['541 where its length is above the limit', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', 541, 'data_error'],
    ['502 where it can not be written', 'HTTP/1.1 200 O\u0001K\r\nContent-Length: 0\r\n\r\n', 502, 'send_failed'],
  ] as const) {
    test(`is ${name}`, async () => {
      const target = await declining(head);
      onTestFinished(() => target.close());
      const gateway = await startGateway({ limits: { responseBytes: 500 } });
      const socket = openRaw(gateway.port, requestFor(plainPlace(target.port)));
      const answer = await readAnswer(socket);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([status, error]);
      await target.connections[0]?.end();
    });
  }

  test('ends the connection where it breaks off', async () => {
    const target = await createRawTarget(({ socket }) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin'));
    });
    onTestFinished(() => target.close());
    const gateway = await startGateway();
    const client = new RawConnection(openRaw(gateway.port, requestFor(plainPlace(target.port))));
    await client.end();
    expect(client.text).toContain('begin');
    expect(await gateway.event(({ type }) => type === 'use.settled')).toMatchObject({
      error: 'socket_closed_remotely',
    });
  });

  test('that switches to TLS of its own accord is 502: nobody asked for it', async () => {
    const target = await declining(SWITCHED);
    onTestFinished(() => target.close());
    const { port } = await startGateway();
    const url = `http://127.0.0.1:${target.port}/`;
    const answer = await readAnswer(openRaw(port, `GET ${url} HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`));
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'send_failed']);
  });
});

test('a request that asks for the API and another protocol is answered by the API', async () => {
  const { port } = await startGateway();
  const answer = await readAnswer(openRaw(port, `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${UPGRADE}\r\n`));
  expect(answer.status).toBe(200);
});

test('a switched connection is one use, which lasts as long as it is open', async () => {
  const [gateway, target] = [await startGateway(), await startUpgradeTarget(false)];
  const client = await openFor(gateway, target);
  client.socket.write(requestFor(target));
  await client.received('\r\n\r\n');
  client.socket.write('x'.repeat(1000));
  await client.received('x'.repeat(1000));
  expect(gateway.events.filter(({ type }) => type === 'use.settled')).toEqual([]);
  client.socket.destroy();
  const settled = await gateway.event(({ type }) => type === 'use.settled');
  expect(settled).toMatchObject({ bytesOut: expect.any(Number), bytesIn: expect.any(Number) });
  if (settled.type !== 'use.settled') return;
  expect(settled.bytesOut).toBeGreaterThan(1000);
  expect(settled.bytesIn).toBeGreaterThan(1000);
});

test('a switched connection counts no more as a request in flight', async () => {
  const [gateway, target] = [await startGateway({ maxConnections: 1 }), await startUpgradeTarget(false)];
  for (let index = 0; index < 3; index += 1) {
    const client = await openFor(gateway, target);
    client.socket.write(requestFor(target));
    expect(await client.received('\r\n\r\n')).toContain('HTTP/1.1 101 ');
  }
});

test('a switch whose head has characters that HTTP does not allow is 502, not passed on', async () => {
  const target = await createRawTarget(({ socket }) => {
    socket.once('data', () => socket.write(SWITCHED.replace('Switching', 'Swi\u0001tching')));
  });
  onTestFinished(() => target.close());
  const { port } = await startGateway();
  const url = `http://127.0.0.1:${target.port}/`;
  const answer = await readAnswer(openRaw(port, `GET ${url} HTTP/1.1\r\nHost: x\r\n${proxyAuth()}${UPGRADE}\r\n`));
  expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'send_failed']);
});
