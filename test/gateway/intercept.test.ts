// Which tunnels are looked into, how they are answered, and what the client is shown in them.

import net, { type Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { VERSION } from '../../src/protocol/version.js';
import { startGateway, startTarget } from '../support/gateway.js';
import {
  authorityOf,
  clientHello,
  enterTunnel,
  getInside,
  startClientTls,
  startSecureTarget,
  TRUSTING,
} from '../support/intercepted.js';
import { openRaw, proxyAuth, readAnswer, sendConnect, sendRaw } from '../support/raw-client.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

const NAMES = {
  nothing: {},
  'a session header': { headers: 'X-Crawlera-Session: create\r\n' },
  'a session that is none': { headers: 'X-Crawlera-Session: nonsense\r\n' },
  'a session in the credentials': { password: 'session-a' },
  'a Zyte session': { headers: 'Zyte-Session-ID: 3f0a4a36-4b2e-4c5e-9d5f-0d6e5b1b8a77\r\n' },
} as const;

/** Who a client finds at the other end: the target itself, the gateway, or a CONNECT that was refused. */
async function foundBy(mode: 'auto' | 'always' | 'never', names: keyof typeof NAMES): Promise<string | number> {
  const [{ port }, target] = [await startGateway({ ...TRUSTING, intercept: mode }), await startSecureTarget()];
  const { socket, answer } = await sendConnect(port, target.authority, NAMES[names]);
  if (answer.status !== 200) return answer.status;
  const issuer = (await startClientTls(socket)).getPeerCertificate().issuer.CN;
  return issuer === 'localhost' ? 'target' : 'gateway';
}

describe('a tunnel is looked into', () => {
  for (const [mode, names, found] of [
    ['auto', 'nothing', 'gateway'],
    ['auto', 'a session header', 'target'],
    ['auto', 'a session in the credentials', 'target'],
    ['auto', 'a Zyte session', 'target'],
    ['auto', 'a session that is none', 400],
    ['always', 'nothing', 'gateway'],
    ['always', 'a session header', 'gateway'],
    ['always', 'a session in the credentials', 'gateway'],
    ['never', 'nothing', 'target'],
    ['never', 'a session in the credentials', 'target'],
  ] as const) {
    test(`under ${mode}, where its CONNECT names ${names}: the client finds ${found}`, async () => {
      expect(await foundBy(mode, names)).toBe(found);
    });
  }
});

describe('the answer to an intercepted CONNECT', () => {
  test('is 200 with the version at once, and not a byte more, whatever is wrong inside', async () => {
    const { port, events } = await startGateway();
    for (const authority of ['127.0.0.1:1', 'no-such-host.invalid:443', '[::1]:443']) {
      const { socket, answer } = await sendConnect(port, authority);
      expect([answer.status, answer.reason, answer.body]).toEqual([200, 'Connection Established', '']);
      expect(answer.rawHeaders).toEqual(['X-Crawlera-Version', VERSION]);
      socket.destroy();
    }
    expect(events.filter(({ type }) => type === 'use.started')).toEqual([]);
  });

  test('is a challenge without an API key, or with a wrong one', async () => {
    const { port } = await startGateway();
    for (const auth of ['', proxyAuth('', 'wrong-key-1')]) {
      const answer = await sendRaw(port, `CONNECT 127.0.0.1:443 HTTP/1.1\r\n${auth}\r\n`);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([407, 'bad_proxy_auth']);
      expect(answer.header('Proxy-Authenticate')).toMatch(/^Basic /);
    }
  });

  for (const [name, authority, given, status, code] of [
    ['no port', '127.0.0.1', {}, 401, 'bad_uri'],
    ['a path', '/x', {}, 401, 'bad_uri'],
    ['credentials that can not be understood', '127.0.0.1:443', { password: 'sesion-1' }, 540, 'bad_header'],
  ] as const) {
    test(`is ${status} ${code} for ${name}`, async () => {
      const { port } = await startGateway();
      const { answer } = await sendConnect(port, authority, given);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([status, code]);
    });
  }

  for (const [name, head] of [
    ['of HTTP/1.0 without Host', 'HTTP/1.0\r\n'],
    ['of HTTP/1.1 without Host', 'HTTP/1.1\r\n'],
    ['with a Host without port and Connection: close', 'HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n'],
  ] as const) {
    test(`comes to a CONNECT ${name}, and the tunnel serves`, async () => {
      const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
      const socket = openRaw(port, `CONNECT ${target.authority} ${head}${proxyAuth()}\r\n`);
      expect((await readAnswer(socket)).status).toBe(200);
      const secured = await startClientTls(socket);
      expect((await getInside(secured)).body).toContain('ok');
      expect((await getInside(secured)).body).toContain('ok');
    });
  }
});

describe('the certificate that a client is shown', () => {
  for (const [name, authority, options, wanted] of [
    ['for the name it asks for', 'other.test:443', { servername: 'www.example.com' }, 'www.example.com'],
    [
      'for the host of its CONNECT, where it asks for none',
      'www.example.com:443',
      { servername: '' },
      'www.example.com',
    ],
    ['for an IPv4 address', '192.0.2.7:443', { servername: '' }, '192.0.2.7'],
    ['for an IPv6 address', '[2001:db8::7]:443', { servername: '' }, '2001:db8::7'],
    ['for an international name', 'xn--bcher-kva.example:443', {}, 'xn--bcher-kva.example'],
  ] as const) {
    test(`is good ${name}`, async () => {
      const { port } = await startGateway();
      const ca = await authorityOf(port);
      const checkServerIdentity = (_: string, { subjectaltname = '' }: PeerCertificate) =>
        identityOf(wanted, subjectaltname);
      const trusting = { ca, rejectUnauthorized: true, checkServerIdentity };
      await enterTunnel(port, authority, { tls: { servername: wanted, ...options, ...trusting } });
    });
  }

  test('is one for all hosts of a domain', async () => {
    const { port } = await startGateway();
    const prints = new Set<string>();
    for (const host of ['www.example.com', 'example.com', 'shop.example.com']) {
      const secured = await enterTunnel(port, `${host}:443`, { tls: { servername: host } });
      prints.add(secured.getPeerCertificate().fingerprint256);
    }
    expect(prints.size).toBe(1);
  });

  for (const offered of [['http/1.1'], ['h2', 'http/1.1']]) {
    test(`comes with http/1.1 where ${offered.join(' and ')} is offered`, async () => {
      const { port } = await startGateway();
      const secured = await enterTunnel(port, 'example.com:443', { tls: { ALPNProtocols: offered } });
      expect(secured.alpnProtocol).toBe('http/1.1');
    });
  }

  test('is not shown to a client that takes nothing but HTTP/2', async () => {
    const { port } = await startGateway();
    await expect(enterTunnel(port, 'example.com:443', { tls: { ALPNProtocols: ['h2'] } })).rejects.toThrow(
      'no application',
    );
  });
});

describe('what a client speaks first decides', () => {
  test('plain HTTP is served like any other', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget((_, res) => res.end('plain'))];
    const { socket } = await sendConnect(port, target.url.slice(7));
    const answer = await getInside(socket, '/a');
    expect(answer.body).toContain('plain');
    expect(answer.header('X-Crawlera-Slave')).toMatch(/^127\.0\.0\.[23]$/);
    expect((await getInside(socket, '/b')).status).toBe(200);
    expect(target.arrivals.map(({ url }) => url)).toEqual(['/a', '/b']);
  });

  test('plain HTTP together with its CONNECT is served, too', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget((_, res) => res.end('plain'))];
    const get = 'GET /early HTTP/1.1\r\nHost: x\r\n\r\n';
    const socket = openRaw(port, `CONNECT ${target.url.slice(7)} HTTP/1.1\r\n${proxyAuth()}\r\n${get}`);
    expect((await readAnswer(socket)).status).toBe(200);
    expect((await readAnswer(socket)).body).toContain('plain');
  });

  test('anything else passes blind, as one use', async () => {
    const target = await startTcp((socket) => socket.pipe(socket));
    const { port, event } = await startGateway();
    const { socket } = await sendConnect(port, `127.0.0.1:${target}`);
    expect(await echoOf(socket, '\u0000\u0001binary')).toBe('\u0000\u0001binary');
    socket.end();
    expect(await event(({ type }) => type === 'use.settled')).toMatchObject({ kind: 'tunnel', status: 200 });
  });

  test('and so does silence: a server that speaks first is heard after 3 seconds', async () => {
    const target = await startTcp((socket) => void socket.end('220 ready\r\n'));
    const { port, event } = await startGateway();
    const { socket } = await sendConnect(port, `127.0.0.1:${target}`);
    const startedMs = performance.now();
    expect(await textOf(socket)).toBe('220 ready\r\n');
    expect(performance.now() - startedMs).toBeGreaterThan(2900);
    socket.end();
    expect(await event(({ type }) => type === 'use.settled')).toMatchObject({ kind: 'tunnel', status: 200 });
  });

  test('under always neither does: the connection is closed', async () => {
    const target = await startTcp(() => undefined);
    const { port, events } = await startGateway({ intercept: 'always' });
    const silent = await sendConnect(port, `127.0.0.1:${target}`);
    const strange = await sendConnect(port, `127.0.0.1:${target}`);
    strange.socket.write('\u0000\u0001binary');
    expect(await Promise.all([textOf(silent.socket), textOf(strange.socket)])).toEqual(['', '']);
    expect(events.filter(({ type }) => type === 'use.started')).toEqual([]);
  });

  test('a blind tunnel that can not be had is closed, and told to the log', async () => {
    const { port, event } = await startGateway();
    const { socket } = await sendConnect(port, '127.0.0.1:1');
    socket.write('\u0000');
    expect(await textOf(socket)).toBe('');
    expect(await event(({ type }) => type === 'use.settled')).toMatchObject({
      error: 'econnrefused',
      status: undefined,
    });
  });
});

describe('a client that does not trust the certificate', () => {
  for (const [how, refuse] of [
    ['by an alert, as browsers and OpenSSL do', refuseByAlert],
    ['by closing the connection, as Node does', refuseByClosing],
  ] as const) {
    test(`and says so ${how}, is told about once per host, with the cure`, async () => {
      const { port, events, event } = await startGateway();
      for (let index = 0; index < 3; index += 1) await refuse(port, 'a.example:443');
      await event((candidate) => candidate.type === 'certificate.refused');
      await refuse(port, 'b.example:443');
      await event((candidate) => candidate.type === 'certificate.refused' && candidate.host === 'b.example');
      const refused = events.filter((candidate) => candidate.type === 'certificate.refused');
      expect(refused.map(({ host }) => host)).toEqual(['a.example', 'b.example']);
      expect(refused[0]).toMatchObject({ remote: '127.0.0.1', message: expect.stringContaining('session-proxy ca') });
      expect((await enterTunnel(port, 'a.example:443')).authorized).toBe(false);
    });
  }

  test('is not suspected where it leaves after a request', async () => {
    const [{ port, events }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority);
    await getInside(secured);
    const closed = new Promise((resolve) => secured.once('close', resolve));
    secured.end();
    await closed;
    await enterTunnel(port, target.authority);
    expect(events.filter(({ type }) => type === 'certificate.refused')).toEqual([]);
  });
});

async function refuseByClosing(port: number, authority: string): Promise<void> {
  const refusing = enterTunnel(port, authority, { tls: { rejectUnauthorized: true, ca: [] } });
  await expect(refusing).rejects.toThrow('self-signed certificate in certificate chain');
}

async function refuseByAlert(port: number, authority: string): Promise<void> {
  const { socket } = await sendConnect(port, authority);
  socket.write(await clientHello({ maxVersion: 'TLSv1.2' }));
  await new Promise((resolve) => socket.once('data', resolve));
  const UNKNOWN_CA = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x30]);
  socket.write(UNKNOWN_CA);
  await textOf(socket);
}

/** Whether a certificate is for exactly that name or, by its wildcard, for its sub-domain. */
function identityOf(wanted: string, names: string): Error | undefined {
  const parent = wanted.replace(/^[^.]+\./, '*.');
  const expanded = wanted.includes(':') ? 'IP Address:2001:DB8:0:0:0:0:0:7' : `IP Address:${wanted}`;
  const accepted = [`DNS:${wanted}`, `DNS:${parent}`, expanded];
  return names.split(', ').some((name) => accepted.includes(name)) ? undefined : new Error(`it is for ${names}`);
}

async function startTcp(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  });
  return port;
}

/** Everything a connection still sends. */
async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

function echoOf(socket: Socket, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1')));
    socket.write(bytes, 'latin1');
  });
}
