import net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { VERSION } from '../../src/protocol/version.js';
import { deferred } from '../support/deferred.js';
import { startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer, sendConnect, sendRaw } from '../support/raw-client.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

/** Tunnels are tunnels: none is looked into, session or not. */
const BLIND = { intercept: 'never' } as const;

/** Sends a GET through an open tunnel. */
async function getThrough(socket: net.Socket, path = '/'): Promise<number> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return (await readAnswer(socket)).status;
}

/** Starts a TCP target. */
async function startTcp(onConnection: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, onConnection);
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  });
  return port;
}

describe('the answer to a CONNECT', () => {
  test('tells version, session and outgoing IP in exact case, and not a byte more', async () => {
    const [{ port }, target] = [await startGateway(BLIND), await startTarget()];
    const { socket, answer } = await sendConnect(port, `127.0.0.1:${target.port}`, {
      headers: 'X-Crawlera-Session: create\r\n',
    });
    expect([answer.status, answer.body]).toEqual([200, '']);
    const id = answer.header('X-Crawlera-Session');
    expect(answer.rawHeaders).toEqual([
      'X-Crawlera-Version',
      VERSION,
      'X-Crawlera-Session',
      id,
      'X-Crawlera-Slave',
      target.arrivals[0]?.fromIp ?? answer.header('X-Crawlera-Slave'),
    ]);
    expect(await getThrough(socket)).toBe(200);
    expect(target.arrivals[0]?.rawHeaders).toEqual(['Host', 'x']);
    expect(target.arrivals[0]?.fromIp).toBe(answer.header('X-Crawlera-Slave'));
  });

  for (const [name, authority, given, status, code] of [
    ['an unknown session', 'target', { headers: 'X-Crawlera-Session: 404\r\n' }, 400, 'bad_session_id'],
    ['an unknown session in the credentials', 'target', { password: 'session-404' }, 400, 'bad_session_id'],
    ['a parameter that is none', 'target', { password: 'sessions-1' }, 540, 'bad_header'],
    ['a country without upstream', 'target', { password: 'session-a,country-xx' }, 503, 'noslaves'],
    ['a target that refuses', '127.0.0.1:1', {}, 502, 'econnrefused'],
    ['a name that is none', 'no-such-host.invalid:443', {}, 502, 'nxdomain'],
    ['no port', '127.0.0.1', {}, 401, 'bad_uri'],
    ['port 0', '127.0.0.1:0', {}, 401, 'bad_uri'],
    ['a URL', 'http://127.0.0.1:80/', {}, 401, 'bad_uri'],
  ] as const) {
    test(`for ${name} is ${status} ${code}`, async () => {
      const [{ port }, target] = [await startGateway(BLIND), await startTarget()];
      const to = authority === 'target' ? `127.0.0.1:${target.port}` : authority;
      const { answer } = await sendConnect(port, to, given);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([status, code]);
      expect(answer.header('X-Crawlera-Version')).toBe(VERSION);
      expect(target.connections()).toBe(0);
    });
  }

  test('without credentials is a challenge', async () => {
    const { port } = await startGateway(BLIND);
    const answer = await sendRaw(port, 'CONNECT example.com:443 HTTP/1.0\r\n\r\n');
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([407, 'bad_proxy_auth']);
    expect(answer.header('Proxy-Authenticate')).toMatch(/^Basic /);
  });

  test('comes to HTTP/1.0 clients without a Host field too', async () => {
    const [{ port }, target] = [await startGateway(BLIND), await startTarget()];
    const socket = openRaw(port, `CONNECT 127.0.0.1:${target.port} HTTP/1.0\r\n${proxyAuth('session-a')}\r\n`);
    expect((await readAnswer(socket)).status).toBe(200);
    expect(await getThrough(socket)).toBe(200);
  });
});

describe('the session of a tunnel', () => {
  test('is that of the credentials: a name is got or created', async () => {
    const [{ port }, target] = [await startGateway(BLIND), await startTarget()];
    const authority = `127.0.0.1:${target.port}`;
    const ids = new Set<string | undefined>();
    for (let index = 0; index < 4; index += 1) {
      const { socket, answer } = await sendConnect(port, authority, { password: 'session-checkout_7' });
      ids.add(answer.header('X-Crawlera-Session'));
      expect(await getThrough(socket)).toBe(200);
    }
    expect(ids.size).toBe(1);
    expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);
  });

  test('or an ID, percent-encoded or not; the header goes before it', async () => {
    const [{ port }, target] = [await startGateway(BLIND), await startTarget()];
    const authority = `127.0.0.1:${target.port}`;
    const made = await sendConnect(port, authority, { headers: 'X-Crawlera-Session: create\r\n' });
    const id = made.answer.header('X-Crawlera-Session') ?? '';
    for (const given of [
      { password: `session-${id}` },
      { password: `session%2D${id}` },
      { password: 'session-other', headers: `X-Crawlera-Session: ${id}\r\n` },
    ]) {
      const { answer } = await sendConnect(port, authority, given);
      expect(answer.header('X-Crawlera-Session')).toBe(id);
    }
  });

  test('goes to the authority of the CONNECT, never to an inner Host', async () => {
    const [{ port }, target, other] = [await startGateway(BLIND), await startTarget(), await startTarget()];
    const { socket } = await sendConnect(port, `127.0.0.1:${target.port}`, { password: 'session-a' });
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${other.port}\r\n\r\n`);
    await readAnswer(socket);
    expect([target.arrivals.length, other.arrivals.length]).toEqual([1, 0]);
  });
});

describe('bytes in a tunnel', () => {
  test('that the client sends before its answer reach the target', async () => {
    const [{ port }, target] = [await startGateway(BLIND), await startTarget()];
    const authority = `127.0.0.1:${target.port}`;
    const socket = openRaw(
      port,
      `CONNECT ${authority} HTTP/1.1\r\n${proxyAuth('session-a')}\r\nGET /early HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    expect((await readAnswer(socket)).status).toBe(200);
    expect((await readAnswer(socket)).status).toBe(200);
    expect(target.arrivals[0]?.url).toBe('/early');
  });

  test('pass both ways in any amount', async () => {
    const port = await startTcp((socket) => socket.pipe(socket));
    const { port: gateway } = await startGateway(BLIND);
    const { socket } = await sendConnect(gateway, `127.0.0.1:${port}`, { password: 'session-a' });
    const sent = Buffer.alloc(8 * 1024 * 1024, 'abcdefghi');
    socket.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
  });

  test('still come back after the client has ended its side', async () => {
    const port = await startTcp((socket) => {
      socket.resume();
      socket.on('end', () => socket.end('after the end'));
    });
    const { port: gateway, event } = await startGateway(BLIND);
    const { socket } = await sendConnect(gateway, `127.0.0.1:${port}`, { password: 'session-a' });
    socket.end('request');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('after the end');
    await event((candidate) => candidate.type === 'use.settled');
  });

  for (const [name, leave] of [
    ['ends', (socket: net.Socket) => socket.destroy()],
    ['is reset', (socket: net.Socket) => socket.resetAndDestroy()],
  ] as const) {
    test(`the other side is closed when the client's ${name}`, async () => {
      const [closed, onClosed] = deferred();
      const port = await startTcp((socket) => {
        socket.resume();
        socket.on('error', () => undefined);
        socket.on('end', () => socket.end());
        socket.on('close', onClosed);
      });
      const { port: gateway, event } = await startGateway(BLIND);
      const { socket } = await sendConnect(gateway, `127.0.0.1:${port}`, { password: 'session-a' });
      leave(socket);
      await closed;
      expect(await event((candidate) => candidate.type === 'use.settled')).toMatchObject({
        kind: 'tunnel',
        status: 200,
      });
    });

    test(`the client is closed when the target's ${name}`, async () => {
      const port = await startTcp((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => leave(socket));
      });
      const { port: gateway } = await startGateway(BLIND);
      const { socket } = await sendConnect(gateway, `127.0.0.1:${port}`, { password: 'session-a' });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('end', () => socket.end());
      socket.resume();
      socket.write('x');
      await closed;
    });
  }
});
