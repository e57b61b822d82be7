// The proxy of this process that stands before browsers with transport 'headers': what it lets in, what it passes on.

import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { HeaderHop } from '../../src/crawlee/header-hop.js';
import { API_KEY, startGateway, startTarget } from '../support/gateway.js';
import { createSession } from '../support/intercepted.js';
import { proxyAuth, readAnswer, sendRaw } from '../support/raw-client.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';
import type { RawConnection, RawTarget } from '../support/target-raw.js';

async function openHop(serverPort: number): Promise<{ readonly hop: HeaderHop; readonly port: number }> {
  const server = { url: `http://127.0.0.1:${serverPort}`, apiKey: API_KEY };
  const hop = new HeaderHop({ server, steadyHeaders: { 'X-Crawlera-Cookies': 'disable' } });
  await hop.listen();
  onTestFinished(() => hop.close());
  return { hop, port: Number(new URL(hop.address.url).port) };
}

/** A server behind the hop that shows what it is sent. */
async function openServer(): Promise<RawTarget & { readonly next: () => Promise<RawConnection> }> {
  const events = new EventEmitter();
  const server = await createRawTarget((connection) => void events.emit('connection', connection));
  onTestFinished(() => server.close());
  const next = async (): Promise<RawConnection> => {
    const [connection]: RawConnection[] = await once(events, 'connection');
    return connection ?? expect.unreachable();
  };
  return { ...server, next };
}

/** Sends a GET, or a CONNECT, with the session in the credentials. */
function ask(port: number, line: string, auth: string, fields = '') {
  return sendRaw(port, `${line} HTTP/1.1\r\nHost: some.example\r\n${auth}${fields}\r\n`);
}

test('who does not know its key, or names no session, is refused, and the server behind is not asked', async () => {
  const { port: serverPort, connections } = await openServer();
  const { hop, port } = await openHop(serverPort);
  const own = hop.address.apiKey;
  for (const auth of ['', proxyAuth('session-1', 'wrong-key'), proxyAuth('', own), proxyAuth('session-1', API_KEY)]) {
    for (const line of ['GET http://some.example/', 'CONNECT some.example:443']) {
      const answer = await ask(port, line, auth);
      expect([answer.status, answer.header('Proxy-Authenticate')]).toEqual([407, 'Basic realm="session"']);
    }
  }
  expect(connections).toHaveLength(0);
});

test('a request goes on with the session, the key of the server and nothing of the protocol that a page has set', async () => {
  const server = await openServer();
  const { hop, port } = await openHop(server.port);
  const asked = ask(
    port,
    'GET http://some.example/a?b',
    proxyAuth('session-42', hop.address.apiKey),
    'X-Crawlera-Session: create\r\nZyte-Session-ID: mine\r\nX-Own: 1\r\nX-Own: 2\r\nConnection: close, X-Hop\r\nX-Hop: 3\r\n',
  );
  const connection = await server.next();
  const head = await connection.received('\r\n\r\n');
  connection.socket.end('HTTP/1.1 200 Fine\r\nX-Answer: 1\r\nX-Answer: 2\r\nContent-Length: 2\r\n\r\nok');
  const lines = head.split('\r\n').filter((line) => line !== '' && !line.startsWith('Connection:'));
  expect(lines).toEqual([
    'GET http://some.example/a?b HTTP/1.1',
    'Host: some.example',
    'X-Own: 1',
    'X-Own: 2',
    proxyAuth().trim(),
    'X-Crawlera-Cookies: disable',
    'X-Crawlera-Session: 42',
  ]);
  const { status, reason, body, rawHeaders } = await asked;
  expect([status, reason, body]).toEqual([200, 'Fine', 'ok']);
  expect(rawHeaders.filter((field) => field === 'X-Answer')).toHaveLength(2);
});

test('a tunnel leaves by its session, bytes passing both ways, and errors are told with their code', async () => {
  const [gateway, target] = [await startGateway(), await startTarget()];
  const { hop, port } = await openHop(gateway.port);
  const auth = proxyAuth(`session-${await createSession(gateway.port)}`, hop.address.apiKey);
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(`CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\nHost: a\r\n${auth}\r\n`);
  expect((await readAnswer(socket)).status).toBe(200);
  socket.write('GET /inside HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  expect((await readAnswer(socket)).status).toBe(200);
  expect(target.arrivals.map(({ url, rawHeaders }) => [url, rawHeaders.length])).toEqual([['/inside', 4]]);
  const lost = await ask(port, 'CONNECT some.example:443', proxyAuth('session-404', hop.address.apiKey));
  expect([lost.status, lost.header('X-Crawlera-Error')]).toEqual([400, 'bad_session_id']);
});

test('a server that is not there is told as proxy-chain tells it', async () => {
  const { hop, port } = await openHop(await closedPort());
  const auth = proxyAuth('session-1', hop.address.apiKey);
  expect((await ask(port, 'GET http://some.example/', auth)).status).toBe(594);
  expect((await ask(port, 'CONNECT some.example:443', auth)).status).toBe(594);
});

test('a browser that leaves takes its request off the server, and close() takes all', async () => {
  const server = await openServer();
  const { hop, port } = await openHop(server.port);
  const auth = proxyAuth('session-1', hop.address.apiKey);
  for (const line of ['GET http://some.example/', 'CONNECT some.example:443']) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${line} HTTP/1.1\r\nHost: a\r\n${auth}\r\n`);
    const connection = await server.next();
    await connection.received('\r\n\r\n');
    socket.destroy();
    await connection.end();
  }
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write(`GET http://some.example/ HTTP/1.1\r\nHost: a\r\n${auth}\r\n`);
  const connection = await server.next();
  await hop.close();
  await connection.end();
});
