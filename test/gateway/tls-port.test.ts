// The same proxy spoken over TLS: requests, tunnels, interception inside, the API, and its end.

import net from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { startGateway, startTarget, type TestGateway } from '../support/gateway.js';
import {
  authorityOf,
  clientHello,
  getInside,
  startClientTls,
  startSecureTarget,
  TRUSTING,
  until,
} from '../support/intercepted.js';
import { openRaw, proxyAuth, type RawAnswer, readAnswer, sendRaw } from '../support/raw-client.js';
import { RawConnection } from '../support/target-raw.js';

const startTlsGateway = (options: GatewayOptions = {}): Promise<TestGateway> =>
  startGateway({ ...TRUSTING, tlsPort: 0, ...options });

const tlsPortOf = ({ gateway }: TestGateway): number => Number(new URL(gateway.tlsUrl ?? '').port);

/** Opens a connection to the port for TLS. */
function openTls(gateway: TestGateway, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return startClientTls(openRaw(tlsPortOf(gateway), ''), options);
}

/** Asks for a tunnel on a connection; what is spoken on it afterwards is inside. */
async function connectOn(socket: TLSSocket, authority: string, password = ''): Promise<RawAnswer> {
  const answer = readAnswer(socket);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${proxyAuth(password)}\r\n`);
  return answer;
}

function get(url: string): string {
  return `GET ${url} HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`;
}

test('without the option there is none', async () => {
  expect((await startGateway()).gateway.tlsUrl).toBeUndefined();
});

test('it says where it is, by the host of the gateway', async () => {
  expect((await startTlsGateway()).gateway.tlsUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
});

describe('its certificate', () => {
  for (const [name, options] of [
    ['for its address', { host: '127.0.0.1' }],
    ['for localhost', { servername: 'localhost' }],
    ['for a name it is reached under', { servername: 'proxy.example.com' }],
  ] as const) {
    test(`is good ${name}`, async () => {
      const gateway = await startTlsGateway({ publicHosts: ['proxy.example.com'] });
      const ca = await authorityOf(gateway.port);
      const secured = await openTls(gateway, { ca, rejectUnauthorized: true, ...options });
      expect(secured.authorized).toBe(true);
    });
  }

  test('comes with HTTP/1.1 only', async () => {
    const secured = await openTls(await startTlsGateway(), { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(secured.alpnProtocol).toBe('http/1.1');
  });
});

describe('on the port for TLS', () => {
  test('requests are forwarded, one behind another, in exact case', async () => {
    const [gateway, target] = [await startTlsGateway(), await startTarget((_, res) => res.end('ok'))];
    const secured = await openTls(gateway);
    for (let index = 0; index < 3; index += 1) {
      const answer = readAnswer(secured);
      secured.write(get(`${target.url}/`));
      expect((await answer).header('X-Crawlera-Slave')).toMatch(/^127\.0\.0\.[23]$/);
    }
  });

  test('an API key is needed', async () => {
    const secured = await openTls(await startTlsGateway());
    const answer = readAnswer(secured);
    secured.write('GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n');
    expect((await answer).status).toBe(407);
  });

  test('the API answers, under its own name too', async () => {
    const gateway = await startTlsGateway();
    const own = `127.0.0.1:${tlsPortOf(gateway)}`;
    const auth = proxyAuth().replace('Proxy-', '');
    for (const url of ['/sessions', `http://${own}/sessions`, `https://${own}/sessions`]) {
      const secured = await openTls(gateway);
      const answer = readAnswer(secured);
      secured.write(`POST ${url} HTTP/1.1\r\nHost: ${own}\r\n${auth}Content-Length: 0\r\n\r\n`);
      expect((await answer).body).toMatch(/^\d+$/);
    }
  });

  test('it is no target, as little as the other port', async () => {
    const gateway = await startTlsGateway();
    const answer = await sendRaw(gateway.port, get(`https://127.0.0.1:${tlsPortOf(gateway)}/`));
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([523, 'domain_forbidden']);
  });

  test('a blind tunnel carries the TLS of its client untouched', async () => {
    const [gateway, target] = [await startTlsGateway(), await startSecureTarget()];
    const outer = await openTls(gateway);
    const answer = await connectOn(outer, target.authority, 'session-a');
    expect(answer.header('X-Crawlera-Session')).toMatch(/^\d+$/);
    const inner = await startClientTls(outer);
    expect(inner.getPeerCertificate().issuer.CN).toBe('localhost');
    expect((await getInside(inner)).body).toContain('ok');
  });

  test('a tunnel that names no session is looked into: TLS inside TLS', async () => {
    const [gateway, target] = [await startTlsGateway(), await startSecureTarget()];
    const outer = await openTls(gateway);
    expect((await connectOn(outer, target.authority)).status).toBe(200);
    const inner = await startClientTls(outer);
    expect(inner.getPeerCertificate().issuer.CN).not.toBe('localhost');
    const first = await getInside(inner, '/', 'X-Crawlera-Session: create\r\n');
    const id = first.header('X-Crawlera-Session') ?? '';
    const second = await getInside(inner, '/', `X-Crawlera-Session: ${id}\r\n`);
    expect([second.status, second.header('X-Crawlera-Session')]).toEqual([200, id]);
    expect(target.arrivals).toHaveLength(2);
  });

  test('large bodies pass whole through both', async () => {
    const target = await startSecureTarget((req, res) => void req.pipe(res));
    const gateway = await startTlsGateway();
    const outer = await openTls(gateway);
    await connectOn(outer, target.authority);
    const client = new RawConnection(await startClientTls(outer));
    const body = 'abcdefgh'.repeat(250_000);
    client.socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await client.end();
    const received = client.text.slice(client.text.indexOf('\r\n\r\n') + 4).replaceAll(/(?:^|\r\n)[\da-f]+\r\n/g, '');
    expect(received.startsWith(body)).toBe(true);
  });

  for (const [name, bytes] of [
    ['plain HTTP', 'GET http://example.com/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['garbage', '\u0000\u0001\u0002\u0003\u0004garbage'],
  ] as const) {
    test(`${name} ends the connection, and nothing else`, async () => {
      const gateway = await startTlsGateway();
      const client = new RawConnection(openRaw(tlsPortOf(gateway), bytes));
      await client.end();
      expect((await openTls(gateway)).encrypted).toBe(true);
      expect(gateway.events.filter(({ type }) => type === 'gateway.failure')).toEqual([]);
    });
  }
});

describe('a gateway that closes', () => {
  test('refuses new connections there, and closes those on which nothing runs', async () => {
    const [gateway, target] = [await startTlsGateway({ drainTimeout: '50s' }), await startSecureTarget()];
    const port = tlsPortOf(gateway);
    const idle = await openTls(gateway);
    const tunnel = await openTls(gateway);
    await connectOn(tunnel, target.authority);
    const inner = await startClientTls(tunnel);
    await getInside(inner);
    const half = openRaw(port, (await clientHello()).subarray(0, 20));
    const clients = [idle, inner, half, openRaw(port, '')].map((socket) => new RawConnection(socket));
    await until(() => clients.every(({ socket }) => !socket.connecting));
    await gateway.gateway.close();
    await Promise.all(clients.map((client) => client.end()));
    expect(await errorOf(port)).toBe('ECONNREFUSED');
  });

  test('waits for a request that runs there', async () => {
    let letEnd = (): void => undefined;
    const target = await startTarget((_, res) => void (letEnd = () => res.end('ended')));
    const gateway = await startTlsGateway({ drainTimeout: '50s' });
    const secured = await openTls(gateway);
    const running = readAnswer(secured);
    secured.write(get(`${target.url}/`));
    await until(() => target.arrivals.length === 1);
    const closed = gateway.gateway.close();
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    expect(await errorOf(gateway.port)).toBe('ECONNREFUSED');
    // Longer than uses that were cut off may take to be settled, which is the only other wait.
    await new Promise((resolve) => setTimeout(resolve, 1300));
    expect(isClosed).toBe(false);
    letEnd();
    expect((await running).body).toContain('ended');
    await closed;
  });

  test('cuts what has not ended there by then, and has settled it', async () => {
    const target = await startTarget(() => undefined);
    const gateway = await startTlsGateway({ drainTimeout: '50ms' });
    const client = new RawConnection(await openTls(gateway));
    client.socket.write(get(`${target.url}/`));
    await until(() => target.arrivals.length === 1);
    await gateway.gateway.close();
    expect(gateway.events.at(-1)).toMatchObject({ type: 'use.settled', error: 'client_conn_closed' });
    await client.end();
  });
});

test('a port for TLS that is taken keeps the gateway from starting, and leaves nothing behind', async () => {
  const first = await startTlsGateway();
  const second = startTlsGateway({ tlsPort: tlsPortOf(first) });
  await expect(second).rejects.toThrow('EADDRINUSE');
});

test('a client resumes its TLS session', async () => {
  const gateway = await startTlsGateway();
  const first = await openTls(gateway);
  const session = await new Promise<Buffer>((resolve) => void first.once('session', resolve));
  expect((await openTls(gateway, { session })).isSessionReused()).toBe(true);
});

/** Why a connection is refused; undefined where it is not. */
function errorOf(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('connect', () => resolve(undefined));
  });
}
