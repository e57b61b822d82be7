// Clients and targets of tunnels that stall, reset, send garbage or leave in the middle: none takes the process,
// another client or a slot with it.

import type { Socket } from 'node:net';
import tls from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import { connections } from '../support/connections.js';
import { API_KEY, startGateway, type TestGateway } from '../support/gateway.js';
import {
  clientHello,
  enterTunnel,
  getInside,
  startClientTls,
  startSecureTarget,
  TRUSTING,
  until,
} from '../support/intercepted.js';
import { openRaw, proxyAuth, sendConnect } from '../support/raw-client.js';
import { createRawTarget, RawConnection } from '../support/target-raw.js';
import { createRawTlsTarget } from '../support/target-tls.js';

const LEAVINGS = ['ends its side', 'closes the connection', 'resets the connection'] as const;

/** A client's end of a tunnel, and of the connection it goes over; the same where it has no TLS. */
type Sides = readonly [inner: Socket, outer: Socket];

/** Leaves by the end of TLS, of the connection, or by its reset; what the other side sends then is read to its end. */
function leaveBy(how: (typeof LEAVINGS)[number], [inner, outer]: Sides): void {
  inner.once('end', () => inner.end()).resume();
  if (how === 'ends its side') inner.end();
  else if (how === 'closes the connection') outer.destroy();
  else outer.resetAndDestroy();
}

const HELD = { ...TRUSTING, delays: { default: '60s' }, upstreams: ['local://127.0.0.2'] };

const settledOf = ({ events }: TestGateway) => events.filter((event) => event.type === 'use.settled');

/** Resolves once this process has as many connections as `before`, or less. */
function untilConnections(before: number): Promise<void> {
  return until(() => connections() <= before);
}

/** A tunnel, and the connection it goes over. */
async function tunnelOver(port: number, authority: string): Promise<Sides> {
  const { socket } = await sendConnect(port, authority);
  return [await startClientTls(socket), socket];
}

describe('a client that leaves a tunnel', () => {
  type Open = (port: number, authority: string) => Promise<Sides>;
  const stages: readonly (readonly [name: string, open: Open])[] = [
    ['before a word', (port, authority) => saying(port, authority, async () => Buffer.alloc(0))],
    [
      'in its ClientHello',
      (port, authority) => saying(port, authority, async () => (await clientHello()).subarray(0, 99)),
    ],
    ['behind its ClientHello', (port, authority) => saying(port, authority, () => clientHello())],
    ['in what is no TLS', (port, authority) => saying(port, authority, async () => Buffer.from([0x16, 0x47, 0x45]))],
    ['in a plain head', (port, authority) => saying(port, authority, async () => Buffer.from('GET / HTTP/1.1\r\nHo'))],
    ['after the handshake', tunnelOver],
    ['after a request', afterRequest],
  ];

  for (const [stage, open] of stages) {
    for (const how of LEAVINGS) {
      test(`${stage}, and ${how}, is let go at once`, async () => {
        const target = await startSecureTarget((_, res) => void res.setHeader('Connection', 'close').end('ok'));
        const { port, events, gateway } = await startGateway(TRUSTING);
        const before = connections();
        const startedMs = performance.now();
        leaveBy(how, await open(port, target.authority));
        await untilConnections(before);
        expect(performance.now() - startedMs).toBeLessThan(5000);
        expect(events.filter(({ type }) => type === 'gateway.failure')).toEqual([]);
        expect(gateway.heldUses).toBe(0);
      });
    }
  }

  async function saying(port: number, authority: string, words: () => Promise<Buffer>): Promise<Sides> {
    const { socket } = await sendConnect(port, authority);
    socket.write(await words());
    return [socket, socket];
  }

  async function afterRequest(port: number, authority: string): Promise<Sides> {
    const sides = await tunnelOver(port, authority);
    await getInside(sides[0]);
    return sides;
  }
});

describe('a client that leaves while a request of its tunnel', () => {
  for (const how of LEAVINGS) {
    test(`is held, and ${how}: the slot is back at once, the target left alone`, async () => {
      const target = await startSecureTarget();
      const gateway = await startGateway(HELD);
      await getInside(await enterTunnel(gateway.port, target.authority), '/', 'X-Crawlera-Session: create\r\n');
      const sides = await tunnelOver(gateway.port, target.authority);
      const [inner] = sides;
      inner.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nbody');
      await until(() => gateway.gateway.heldUses === 1);
      leaveBy(how, sides);
      const startedMs = performance.now();
      await until(() => gateway.gateway.heldUses === 0 && settledOf(gateway).length === 2);
      expect(performance.now() - startedMs).toBeLessThan(5000);
      expect(settledOf(gateway)[1]).toMatchObject({ error: 'client_conn_closed', status: undefined });
      expect(target.arrivals).toHaveLength(1);
      await untilNoneInUse(gateway);
    });

    test(`sends its body, and ${how}`, async () => {
      let gone = false;
      const target = await startSecureTarget((req) => void req.resume().on('error', () => (gone = true)));
      const gateway = await startGateway(TRUSTING);
      const sides = await tunnelOver(gateway.port, target.authority);
      const [inner] = sides;
      inner.write('POST / HTTP/1.1\r\nHost: x\r\nX-Crawlera-Session: create\r\nContent-Length: 9999\r\n\r\nbody');
      await until(() => target.arrivals.length === 1);
      leaveBy(how, sides);
      await gateway.event(({ type }) => type === 'use.settled');
      expect(settledOf(gateway)).toMatchObject([{ error: 'client_conn_closed', status: undefined }]);
      await until(() => gone);
      await untilNoneInUse(gateway);
    });

    test(`is answered, and ${how}`, async () => {
      let gone = false;
      const target = await startSecureTarget((_, res) => {
        res.on('close', () => (gone = true));
        res.writeHead(200, { 'Content-Length': 9999 }).write('begin');
      });
      const gateway = await startGateway(TRUSTING);
      const sides = await tunnelOver(gateway.port, target.authority);
      const [inner] = sides;
      const client = new RawConnection(inner);
      inner.write('GET / HTTP/1.1\r\nHost: x\r\nX-Crawlera-Session: create\r\n\r\n');
      await client.received('begin');
      leaveBy(how, sides);
      await gateway.event(({ type }) => type === 'use.settled');
      expect(settledOf(gateway)).toMatchObject([{ error: 'client_conn_closed', status: 200 }]);
      await until(() => gone);
      await untilNoneInUse(gateway);
    });
  }
});

test('a client that resets its connection behind a handshake and much of a body leaves no use behind', async () => {
  const target = await startSecureTarget();
  const gateway = await startGateway({ ...TRUSTING, drainTimeout: '50s' });
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nX-Crawlera-Session: create\r\nContent-Length: 100000\r\n\r\n';
  for (let index = 0; index < 20; index += 1) {
    const { socket } = await sendConnect(gateway.port, target.authority);
    const secured = tls.connect({ socket, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    secured.on('error', () => undefined);
    await new Promise((resolve) => secured.once('secureConnect', resolve));
    secured.write(head + 'x'.repeat(85_000));
    socket.resetAndDestroy();
  }
  await untilNoneInUse(gateway);
  // With a drain as long as this one, a connection that stayed would be waited for.
  await gateway.gateway.close();
  const started = gateway.events.filter(({ type }) => type === 'use.started');
  expect(settledOf(gateway)).toHaveLength(started.length);
});

describe('a client that talks nonsense in its tunnel', () => {
  test('under TLS is told 400, which the log is told, too', async () => {
    const { port, event } = await startGateway();
    const client = new RawConnection(await enterTunnel(port, 'example.com:443'));
    client.socket.write('\u0000nonsense\r\n\r\n');
    await client.end();
    expect(client.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\nX-Crawlera-Error: bad_request\r\n/);
    expect(await event(({ type }) => type === 'request.rejected')).toMatchObject({ remote: '127.0.0.1' });
  });

  test('with a head above 100 KiB is told 413', async () => {
    const { port } = await startGateway();
    const answer = await getInside(
      await enterTunnel(port, 'example.com:443'),
      '/',
      `X-Long: ${'x'.repeat(102_500)}\r\n`,
    );
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([413, 'headers_too_large']);
  });

  test('behind a running request is cut, with nothing in the middle of an answer', async () => {
    const target = await startSecureTarget((_, res) => void res.write('begin'));
    const gateway = await startGateway(TRUSTING);
    const client = new RawConnection(await enterTunnel(gateway.port, target.authority));
    client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.received('begin');
    client.socket.write('\u0000nonsense\r\n\r\n');
    await client.end();
    expect(client.text).not.toContain('400');
    await gateway.event(({ type }) => type === 'use.settled');
  });

  for (const bytes of [
    'nonsense',
    'GET / HTTP/1.1\r\n\r\n',
    '\u0017\u0003\u0003\u0000\u0004abcd',
    '\u0015\u0003\u0003\u0000\u0002\u0002\u0028',
  ]) {
    test(`outside the TLS it has begun is cut: ${JSON.stringify(bytes)}`, async () => {
      const { port, events } = await startGateway();
      const before = connections();
      const [, outer] = await tunnelOver(port, 'example.com:443');
      outer.write(bytes, 'latin1');
      outer.once('end', () => outer.end());
      await untilConnections(before);
      expect(events.filter(({ type }) => type === 'gateway.failure')).toEqual([]);
    });
  }

  test('by renegotiating is cut, or served on', async () => {
    const { port } = await startGateway();
    const before = connections();
    const secured = await enterTunnel(port, 'example.com:443', { tls: { maxVersion: 'TLSv1.2' } });
    const closed = new Promise((resolve) => secured.once('close', resolve));
    secured.resume();
    for (let index = 0; index < 5; index += 1) secured.renegotiate({}, () => undefined);
    setTimeout(() => secured.destroy(), 100);
    await closed;
    await untilConnections(before);
    expect((await enterTunnel(port, 'example.com:443')).encrypted).toBe(true);
  });
});

describe('a client that is merely slow or hasty', () => {
  test('may send its ClientHello byte by byte', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const { socket } = await sendConnect(port, target.authority);
    socket.setNoDelay(true);
    const hello = await clientHello();
    expect(hello.length).toBeGreaterThan(100);
    for (const byte of hello) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const serverHello = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(serverHello[0]).toBe(0x16);
  });

  test('may send its ClientHello together with its CONNECT', async () => {
    const { port } = await startGateway();
    const connect = `CONNECT example.com:443 HTTP/1.1\r\n${proxyAuth()}\r\n`;
    const client = new RawConnection(openRaw(port, Buffer.concat([Buffer.from(connect), await clientHello()])));
    await client.received('\r\n\r\n\u0016\u0003');
  });

  test('may send 64 KiB behind its CONNECT before the answer', async () => {
    const body = 'x'.repeat(64 * 1024);
    const target = await createRawTarget();
    onTestFinished(() => target.close());
    const { port } = await startGateway();
    const post = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    openRaw(port, `CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\n${proxyAuth()}\r\n${post}`);
    await until(() => target.connections.length === 1);
    await target.connections[0]?.received(body);
  });

  test('may send requests behind one another', async () => {
    const [{ port }, target] = [
      await startGateway(TRUSTING),
      await startSecureTarget((req, res) => res.end(`<${req.url}>`)),
    ];
    const client = new RawConnection(await enterTunnel(port, target.authority));
    const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
    client.socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
    await client.received('</19>');
    expect([...client.text.matchAll(/<(.*?)>/g)].map(([, path]) => path)).toEqual(paths);
  });
});

describe('a target inside TLS', () => {
  for (const [name, serve, status, code] of [
    ['that closes', ({ socket }: RawConnection) => socket.end(), 502, 'socket_closed_remotely'],
    ['that resets', ({ socket }: RawConnection) => socket.destroy(), 502, /^(econnreset|socket_closed_remotely)$/],
    ['that stalls', () => undefined, 504, 'timeout'],
    ['that talks nonsense', ({ socket }: RawConnection) => socket.write('nonsense\r\n\r\n'), 502, 'send_failed'],
  ] as const) {
    test(`${name} is ${status}, and its tunnel serves the next request`, async () => {
      let count = 0;
      const target = await createRawTlsTarget((connection) => {
        count += 1;
        const isFirst = count === 1;
        connection.socket.once('data', () => {
          if (isFirst) serve(connection);
          else connection.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
      });
      onTestFinished(() => target.close());
      const gateway = await startGateway({ ...TRUSTING, timeouts: { response: '300ms' }, retries: { default: 0 } });
      const secured = await enterTunnel(gateway.port, `127.0.0.1:${target.port}`);
      const answer = await getInside(secured);
      expect(answer.status).toBe(status);
      expect(answer.header('X-Crawlera-Error')).toMatch(code);
      expect((await getInside(secured)).body).toContain('ok');
    });
  }

  for (const [name, port] of [
    ['that has none', async () => await rawPort((socket) => void socket.write('220 no TLS here\r\n'))],
    ['that closes in the handshake', () => rawPort((socket) => socket.destroy())],
  ] as const) {
    test(`${name} is 502, and its tunnel goes on`, async () => {
      const gateway = await startGateway(TRUSTING);
      const secured = await enterTunnel(gateway.port, `127.0.0.1:${await port()}`);
      expect((await getInside(secured)).status).toBe(502);
      expect((await getInside(secured)).status).toBe(502);
    });
  }

  test('that breaks off in its answer ends the tunnel', async () => {
    const target = await createRawTlsTarget(({ socket }) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegin'));
    });
    onTestFinished(() => target.close());
    const gateway = await startGateway(TRUSTING);
    const client = new RawConnection(await enterTunnel(gateway.port, `127.0.0.1:${target.port}`));
    client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.end();
    expect(client.text).toContain('begin');
    expect(settledOf(gateway)).toMatchObject([{ status: 200, error: 'socket_closed_remotely' }]);
  });

  async function rawPort(serve: (socket: Socket) => void): Promise<number> {
    const target = await createRawTarget(({ socket }) => serve(socket));
    onTestFinished(() => target.close());
    return target.port;
  }
});

test('handshakes that stall are over after 20 seconds, on the port for TLS too', async () => {
  const { port, gateway } = await startGateway({ tlsPort: 0 });
  const tlsPort = Number(new URL(gateway.tlsUrl ?? '').port);
  const before = connections();
  const half = (await clientHello()).subarray(0, 50);
  const { socket } = await sendConnect(port, 'example.com:443');
  socket.write(half);
  for (const stalled of [socket, openRaw(tlsPort, half), openRaw(tlsPort, '')]) {
    stalled.resume().once('end', () => stalled.end());
  }
  const startedMs = performance.now();
  await until(() => connections() > before);
  while (connections() > before) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(performance.now() - startedMs).toBeGreaterThan(19_000);
  expect(performance.now() - startedMs).toBeLessThan(25_000);
});

/** Resolves once no session is in use. */
async function untilNoneInUse({ url }: TestGateway): Promise<void> {
  const client = new SessionsClient(url.replace('//', `//${API_KEY}:@`));
  for (;;) {
    const { sessions } = await client.list();
    if (sessions.every(({ expiresAt }) => expiresAt !== null)) return;
  }
}
