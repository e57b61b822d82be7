import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { VERSION } from '../../src/protocol/version.js';
import { startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer, sendGet, sendRaw } from '../support/raw-client.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

const CREATE = 'X-Crawlera-Session: create\r\n';

describe('a session by header', () => {
  test('is created by the first request and keeps its outgoing IP', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const first = await sendGet(port, target.url, CREATE);
    const id = first.header('X-Crawlera-Session') ?? '';
    expect(id).toMatch(/^\d{15}$/);
    for (let index = 0; index < 10; index += 1) {
      const next = await sendGet(port, `${target.url}/${index}`, `X-Crawlera-Session: ${id}\r\n`);
      expect(next.status).toBe(200);
      expect(next.header('X-Crawlera-Session')).toBe(id);
      expect(next.header('X-Crawlera-Version')).toBe(VERSION);
    }
    expect(new Set(target.arrivals.map(({ fromIp }) => fromIp))).toEqual(new Set([first.header('X-Crawlera-Slave')]));
  });

  test('parallel creates make different sessions', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const answers = await Promise.all(
      [1, 2, 3].map(() => sendGet(port, target.url, 'x-crawlera-session:  CREATE \r\n')),
    );
    expect(new Set(answers.map((answer) => answer.header('X-Crawlera-Session'))).size).toBe(3);
  });

  test('the ID comes back whatever the status of the target', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget((_, res) => res.writeHead(500).end('down'))];
    const answer = await sendGet(port, target.url, CREATE);
    expect(answer.status).toBe(500);
    expect(answer.header('X-Crawlera-Session')).toMatch(/^\d+$/);
    expect(answer.header('X-Crawlera-Error')).toBeUndefined();
  });

  for (const [name, header] of [
    ['unknown', 'X-Crawlera-Session: 404\r\n'],
    ['empty', 'X-Crawlera-Session: \r\n'],
    ['repeated', 'X-Crawlera-Session: 1\r\nX-Crawlera-Session: 1\r\n'],
    ['no ID at all', 'X-Crawlera-Session: checkout\r\n'],
  ] as const) {
    test(`one that is ${name} is bad_session_id, and the target is left alone`, async () => {
      const [{ port }, target] = [await startGateway(), await startTarget()];
      const answer = await sendGet(port, target.url, header);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([400, 'bad_session_id']);
      expect(answer.header('X-Crawlera-Version')).toBe(VERSION);
      expect(target.connections()).toBe(0);
    });
  }

  test('the unknown ID is echoed, for clients take that as a dead session', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const answer = await sendGet(port, target.url, 'X-Crawlera-Session: 404\r\n');
    expect(answer.header('X-Crawlera-Session')).toBe('404');
  });

  test('a create whose target does not answer leaves no session behind', async () => {
    const { port, gateway } = await startGateway();
    const answer = await sendGet(port, 'http://127.0.0.1:1/', CREATE);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'econnrefused']);
    expect(answer.header('X-Crawlera-Session')).toBeUndefined();
    const list = await fetch(`${gateway.url}/sessions`, { headers: { authorization: `Basic ${btoa('test-key-1:')}` } });
    expect(await list.text()).toBe('{}');
  });
});

describe('without a session', () => {
  test('requests go by the outgoing IPs in turn', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    for (let index = 0; index < 4; index += 1) await sendGet(port, target.url);
    expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.2', '127.0.0.3']);
  });
});

describe('authentication', () => {
  for (const [name, line, code] of [
    ['none', '', 'bad_proxy_auth'],
    ['an unknown key', proxyAuth('', 'unknown-key'), 'bad_proxy_auth'],
    ['no Basic', 'Proxy-Authorization: Bearer abc\r\n', 'bad_proxy_auth'],
    ['no base64', 'Proxy-Authorization: Basic %%%\r\n', 'bad_proxy_auth'],
  ] as const) {
    test(`${name} is 407 with a challenge, and the target is left alone`, async () => {
      const [{ port }, target] = [await startGateway(), await startTarget()];
      const answer = await sendRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${line}\r\n`);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([407, code]);
      expect(answer.header('Proxy-Authenticate')).toMatch(/^Basic realm=/);
      expect(answer.header('X-Crawlera-Version')).toBe(VERSION);
      expect(target.connections()).toBe(0);
    });
  }

  test('passwords without a dash are dummies, and both base64 alphabets are understood', async () => {
    const [{ port }, target] = [await startGateway({ apiKeys: ['key~with~tildes~'] }), await startTarget()];
    const encoded = Buffer.from('key~with~tildes~:DUMMY?>').toString('base64');
    for (const value of [encoded, encoded.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')]) {
      const answer = await sendRaw(port, `GET ${target.url}/ HTTP/1.1\r\nProxy-Authorization: Basic ${value}\r\n\r\n`);
      expect(answer.status).toBe(200);
    }
  });
});

describe('what crosses the gateway', () => {
  test('fields that are not ours reach the target in order, case and number; ours and the credentials do not', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const fields = ['X-Mixed: One', 'x-mixed: two', 'Cookie: a=b', 'AUTHORIZATION: Basic abc', 'X-Last: é'];
    const ours = [
      'X-Crawlera-Session: create',
      'X-CRAWLERA-Unknown: 1',
      'Zyte-Session-ID: 1',
      'Proxy-Connection: keep-alive',
      'Connection: keep-alive, X-Hop',
      'X-Hop: 1',
      'TE: trailers',
      'Keep-Alive: 5',
    ];
    const head = [`GET ${target.url}/a/../b?q=%20#x HTTP/1.1`, 'HOST: ' + target.url.slice(7), ...fields, ...ours].join(
      '\r\n',
    );
    await sendRaw(port, Buffer.from(`${head}\r\n${proxyAuth()}\r\n`, 'latin1'));
    const [arrival] = target.arrivals;
    expect(arrival?.url).toBe('/a/../b?q=%20');
    const sent = [`HOST: ${target.url.slice(7)}`, ...fields, 'Connection: keep-alive'];
    const seen = (arrival?.rawHeaders ?? []).flatMap((name, index, raw) =>
      index % 2 ? [] : [`${name}: ${raw[index + 1]}`],
    );
    expect(seen).toEqual(sent);
  });

  test('fields of the target come back in order, case and number, without any that look like ours', async () => {
    const raw = [
      'Set-Cookie',
      'a=1',
      'X-MIXED',
      'x',
      'set-cookie',
      'b=2',
      'X-Crawlera-Session',
      '666',
      'Zyte-Request-ID',
      'z',
    ];
    const target = await startTarget((_, res) => {
      res.sendDate = false;
      res.writeHead(299, 'Quite Fine', [...raw, 'Content-Length', '2', 'Connection', 'X-Gone', 'X-Gone', '1']);
      res.end('ok');
    });
    const { port } = await startGateway();
    const answer = await sendGet(port, target.url);
    expect([answer.status, answer.reason, answer.body]).toEqual([299, 'Quite Fine', 'ok']);
    const expected = ['Set-Cookie', 'a=1', 'X-MIXED', 'x', 'set-cookie', 'b=2', 'Content-Length', '2'];
    expect(answer.rawHeaders.slice(0, expected.length)).toEqual(expected);
    expect(answer.rawHeaders).not.toContain('666');
    expect(answer.rawHeaders).not.toContain('z');
    expect(answer.rawHeaders).not.toContain('X-Gone');
  });

  test('the Host field names the target, whatever the client wrote', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    await sendRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: elsewhere.example\r\n${proxyAuth()}\r\n`);
    await sendRaw(port, `GET ${target.url}/ HTTP/1.0\r\n${proxyAuth()}\r\n`);
    for (const { rawHeaders } of target.arrivals) {
      expect(rawHeaders.slice(0, 2)).toEqual(['Host', target.url.slice(7)]);
    }
  });

  test('bodies pass both ways, with a length and in chunks', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const body = randomBytes(1024 * 1024).toString('hex');
    const head = `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}`;
    const whole = await sendRaw(port, `${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    expect(whole.body).toBe(body);
    const chunked = await sendRaw(port, `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`);
    expect(chunked.body).toContain('abc');
    expect(
      target.arrivals.map(({ rawHeaders }) =>
        rawHeaders.filter((name) => /^(content-length|transfer-encoding)$/i.test(name)),
      ),
    ).toEqual([['Content-Length'], ['Transfer-Encoding']]);
  });

  test('one connection serves many requests, each with its own session', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget((_, res) => res.end('ok'))];
    const ids = [];
    for (let index = 0; index < 2; index += 1) {
      ids.push((await sendGet(port, target.url, CREATE)).header('X-Crawlera-Session'));
    }
    const socket = openRaw(port, '');
    for (const id of [...ids, ...ids]) {
      socket.write(`GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}X-Crawlera-Session: ${id}\r\n\r\n`);
      expect((await readAnswer(socket)).header('X-Crawlera-Session')).toBe(id);
    }
    const ips = target.arrivals.slice(2).map(({ fromIp }) => fromIp);
    expect(ips).toEqual([ips[0], ips[1], ips[0], ips[1]]);
    expect(ips[0]).not.toBe(ips[1]);
  });

  test('HEAD and 304 answers have no body, and the next request is answered', async () => {
    const target = await startTarget((req, res) => {
      if (req.url === '/304') res.writeHead(304, { ETag: 'x' }).end();
      else res.writeHead(200, { 'Content-Length': 5 }).end('hello');
    });
    const { port } = await startGateway();
    const socket = openRaw(port, `HEAD ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    socket.write(`GET ${target.url}/304 HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    socket.write(`GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}Connection: close\r\n\r\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    expect(text.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 304', 'HTTP/1.1 200']);
    expect(text.match(/hello/g)).toHaveLength(1);
  });

  test('thousands of small fields arrive, both ways', async () => {
    const fields = Array.from({ length: 5000 }, (_, index) => [`X${index}`, '1']).flat();
    const target = await startTarget((_, res) => {
      res.writeHead(200, [...fields, 'Content-Length', '0']).end();
    });
    const { port } = await startGateway();
    const lines = Array.from({ length: 5000 }, (_, index) => `X${index}: 1\r\n`).join('');
    const answer = await sendGet(port, target.url, lines);
    expect(answer.rawHeaders.slice(0, fields.length)).toEqual(fields);
    expect(target.arrivals[0]?.rawHeaders.slice(2, fields.length + 2)).toEqual(fields);
  });

  test('100 KiB of header fields are accepted; more is 413 in our words', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const field = (bytes: number) => `X-Long: ${'a'.repeat(bytes)}\r\n`;
    expect((await sendGet(port, target.url, field(100 * 1024 - 400))).status).toBe(200);
    const answer = await sendGet(port, target.url, field(101 * 1024));
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([413, 'headers_too_large']);
    expect(answer.header('X-Crawlera-Version')).toBe(VERSION);
    expect((await sendGet(port, target.url)).status).toBe(200);
  });
});

describe('when the target fails', () => {
  async function rawTarget(onConnection: (socket: net.Socket) => void): Promise<string> {
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      onConnection(socket);
    });
    const port = await listenOnFreePort(server);
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      await closeServer(server);
    });
    return `http://127.0.0.1:${port}/`;
  }

  for (const [name, onConnection, status, code] of [
    ['closes without an answer', (socket) => socket.once('data', () => socket.end()), 502, 'socket_closed_remotely'],
    ['resets', (socket) => socket.once('data', () => socket.resetAndDestroy()), 502, 'econnreset'],
    ['answers nonsense', (socket) => socket.once('data', () => socket.end('nonsense\r\n\r\n')), 502, 'send_failed'],
    ['does not answer in time', () => undefined, 504, 'timeout'],
  ] satisfies [string, (socket: net.Socket) => void, number, string][]) {
    test(`${name}: ${status} ${code}`, async () => {
      const { port } = await startGateway({ timeouts: { response: '300ms' } });
      const url = await rawTarget(onConnection);
      const answer = await sendRaw(port, `POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n${proxyAuth()}\r\na`);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([status, code]);
    });
  }

  test('an unknown name is nxdomain', async () => {
    const { port } = await startGateway();
    const answer = await sendGet(port, 'http://no-such-host.invalid/');
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'nxdomain']);
  });

  test('in the middle of its answer, the client sees the connection break', async () => {
    const { port, event } = await startGateway();
    const url = await rawTarget((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', () => socket.resetAndDestroy());
      }),
    );
    const answer = await sendGet(port, url);
    expect([answer.status, answer.body]).toEqual([200, 'half']);
    const settled = await event((candidate) => candidate.type === 'use.settled');
    expect(settled).toMatchObject({
      status: 200,
      error: expect.stringMatching(/^(?:socket_closed_remotely|econnreset)$/),
    });
  });
});
