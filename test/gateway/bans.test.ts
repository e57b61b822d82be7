import { randomBytes } from 'node:crypto';
import http, { type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayEvent, GatewayOptions } from '../../src/gateway/index.js';
import { API_KEY, startGateway, startTarget } from '../support/gateway.js';
import { deferred } from '../support/deferred.js';
import { openRaw, proxyAuth, sendConnect, sendGet, sendRaw } from '../support/raw-client.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { createRawTarget } from '../support/target-raw.js';

const create = 'X-Crawlera-Session: create\r\n';
const once = 'X-Crawlera-Max-Retries: 0\r\n';
const inSession = (id: string): string => `X-Crawlera-Session: ${id}\r\n`;
const auth = { authorization: `Basic ${Buffer.from(`${API_KEY}:`).toString('base64')}` };

const BAN = 'You are a ROBOT';
const PATTERNS: GatewayOptions = {
  bans: { statuses: [], bodyPatterns: ['a robot', '^never$'] },
  retries: { default: 0 },
};
const page = (bytes: number): string => '<p>Hello, world. '.repeat(bytes / 17 + 1).slice(0, bytes);

function codeOf({ status, header }: { status: number; header: (name: string) => string | undefined }) {
  return [status, header('X-Crawlera-Error')];
}

/** Asks through a gateway and reads the whole answer, byte for byte. */
function getBytes(port: number, url: string, headers: Readonly<Record<string, string>> = {}) {
  return new Promise<{ status: number; error: string | undefined; body: Buffer }>((resolve, reject) => {
    const proxyAuthorization = { 'Proxy-Authorization': `Basic ${Buffer.from(`${API_KEY}:`).toString('base64')}` };
    const asked = http.get({ host: '127.0.0.1', port, path: url, headers: { ...proxyAuthorization, ...headers } });
    asked.on('error', reject).on('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      answer.on('end', () => {
        const error = answer.headers['x-crawlera-error'];
        resolve({ status: answer.statusCode ?? 0, error: error?.toString(), body: Buffer.concat(chunks) });
      });
    });
  });
}

/** A way out that knows names of this file, with an outgoing IP of its own. */
async function namingProxy(number: number) {
  const names = ['www.shop.test', 'img.shop.test', 'shop.test', 'other.test'];
  const proxy = await createSocksProxy({ names: Object.fromEntries(names.map((name) => [name, '127.0.0.1'])) });
  onTestFinished(() => proxy.close());
  return { url: `socks5h://127.0.0.1:${proxy.port}`, outgoingIp: `192.0.2.${number}` };
}

describe('an answer means a ban', () => {
  for (const [name, status, bans, isBan] of [
    ['by default', 403, {}, true],
    ['by default', 429, {}, true],
    ['by default', 503, {}, true],
    ['by default', 200, {}, false],
    ['by default', 404, {}, false],
    ['by default', 500, {}, false],
    ['among others', 418, { statuses: [418, 521] }, true],
    ['where others are', 403, { statuses: [418] }, false],
    ['where none is', 503, { statuses: [] }, false],
    ['in place of the others, for its domain', 418, { domains: { 'shop.test': { statuses: [418] } } }, true],
    ['for another domain only', 418, { domains: { 'other.test': { statuses: [418] } } }, false],
    ['not for its domain', 403, { domains: { 'shop.test': { statuses: [418] } } }, false],
    [
      'not for its domain, whose patterns stand alone',
      403,
      { domains: { 'shop.test': { bodyPatterns: ['x'] } } },
      true,
    ],
  ] as const satisfies readonly (readonly [string, number, GatewayOptions['bans'], boolean])[]) {
    test(`of status ${status} ${name}: ${isBan ? 'yes' : 'no'}`, async () => {
      const target = await startTarget((_, res) => res.writeHead(status).end('page'));
      const { port } = await startGateway({ bans, upstreams: [await namingProxy(1)] });
      const answer = await sendGet(port, `http://www.shop.test:${target.port}/`);
      expect(codeOf(answer)).toEqual(isBan ? [503, 'banned'] : [status, undefined]);
    });
  }

  const html = { 'Content-Type': 'text/html; charset=utf-8' };
  const large = `${page(200_000)}${BAN}`;
  for (const [name, headers, body, isBan] of [
    ['plain', html, BAN, true],
    ['plain, of a type that is not told', {}, BAN, true],
    ['JSON', { 'Content-Type': 'application/problem+json' }, `{"error": "${BAN}"}`, true],
    ['gzip', { ...html, 'Content-Encoding': 'gzip' }, gzipSync(BAN), true],
    ['x-gzip', { ...html, 'Content-Encoding': 'X-GZIP' }, gzipSync(BAN), true],
    ['deflate', { ...html, 'Content-Encoding': 'deflate' }, deflateSync(BAN), true],
    ['deflate without its wrapping', { ...html, 'Content-Encoding': 'deflate' }, deflateRawSync(BAN), true],
    ['br', { ...html, 'Content-Encoding': 'br' }, brotliCompressSync(BAN), true],
    ['larger than what is looked at', html, page(30_000) + BAN + page(500_000), true],
    [
      'larger, and gzip',
      { ...html, 'Content-Encoding': 'gzip' },
      gzipSync(BAN + randomBytes(300_000).toString('hex')),
      true,
    ],
    [
      'larger, and br',
      { ...html, 'Content-Encoding': 'br' },
      brotliCompressSync(BAN + randomBytes(300_000).toString('hex')),
      true,
    ],
    ['matched behind what is looked at', html, large, false],
    ['matched behind what is looked at, in gzip', { ...html, 'Content-Encoding': 'gzip' }, gzipSync(large), false],
    ['a bomb', { ...html, 'Content-Encoding': 'gzip' }, gzipSync(Buffer.alloc(50_000_000)), false],
    ['a bomb behind a ban', { ...html, 'Content-Encoding': 'gzip' }, gzipSync(BAN + '\0'.repeat(50_000_000)), true],
    ['not what its coding says', { ...html, 'Content-Encoding': 'gzip' }, BAN, false],
    [
      'cut in the middle of its coding',
      { ...html, 'Content-Encoding': 'gzip' },
      gzipSync(BAN + page(9000)).subarray(0, -9),
      true,
    ],
    ['of a coding unknown here', { ...html, 'Content-Encoding': 'zstd' }, BAN, false],
    ['of two codings', { ...html, 'Content-Encoding': 'gzip, br' }, gzipSync(BAN), false],
    ['a picture', { 'Content-Type': 'image/png' }, BAN, false],
    ['bytes at random', {}, randomBytes(100_000), false],
    ['a text of bytes at random', html, randomBytes(100_000), false],
    ['empty', html, '', false],
    ['exactly as large as what is looked at', html, page(64 * 1024), false],
  ] as const) {
    test(`of a page that is ${name}: ${isBan ? 'yes' : 'no, and it passes whole'}`, async () => {
      const target = await startTarget((_, res) => res.writeHead(200, headers).end(body));
      const { port } = await startGateway(PATTERNS);
      const answer = await getBytes(port, target.url);
      expect([answer.status, answer.error]).toEqual(isBan ? [503, 'banned'] : [200, undefined]);
      if (!isBan) expect(answer.body.equals(Buffer.from(body))).toBe(true);
    });
  }

  for (const [name, method, status] of [
    ['HEAD', 'HEAD', 200],
    ['204', 'GET', 204],
    ['304', 'GET', 304],
  ] as const) {
    test(`${name} has no page to look at`, async () => {
      const target = await startTarget((_, res) => res.writeHead(status, html).end());
      const { port } = await startGateway(PATTERNS);
      const head = `${method} ${target.url}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${proxyAuth()}\r\n`;
      expect((await sendRaw(port, head)).status).toBe(status);
    });
  }
});

describe('a page is looked at without harm', () => {
  test('one that breaks off before it could be judged is a failure, and asked for elsewhere', async () => {
    let visits = 0;
    const target = await startTarget((req, res) => {
      visits += 1;
      if (visits > 1) return res.end('whole');
      res.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': 100 }).write('half');
      return void setImmediate(() => req.socket.destroy());
    });
    const { port } = await startGateway({ bans: PATTERNS.bans });
    expect(await sendGet(port, target.url)).toMatchObject({
      status: 200,
      body: expect.stringContaining('whole') as string,
    });
    visits = 0;
    const answer = await sendGet(port, target.url, once);
    expect(codeOf(answer)).toEqual([502, 'socket_closed_remotely']);
  });

  test('one that stalls is passed on with what came of it', async () => {
    const [isAsked, finish] = deferred();
    const target = await startTarget((_, res) => {
      res.writeHead(200, { 'Content-Type': 'text/html' }).write('slowly');
      void isAsked.then(() => res.end(` but ${BAN}`));
    });
    const { port } = await startGateway(PATTERNS);
    const socket = openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    let text = '';
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('slowly')) resolve();
      });
    });
    finish();
    await new Promise((resolve) => socket.on('data', resolve));
    expect(text).toContain('HTTP/1.1 200');
  });

  test('a stream of events is not waited for', async () => {
    const target = await startTarget((_, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
    });
    const { port } = await startGateway({ ...PATTERNS, timeouts: { response: '1s' } });
    const startedAtMs = performance.now();
    const answered = new Promise<Buffer>((resolve) => {
      openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`).once('data', resolve);
    });
    expect((await answered).toString()).toContain('200');
    expect(performance.now() - startedAtMs).toBeLessThan(1000);
  });

  test('a ban of a gigabyte is not downloaded', async () => {
    const sockets: Socket[] = [];
    const head = `HTTP/1.1 403 Forbidden\r\nContent-Length: ${1024 ** 3}\r\n\r\n`;
    const target = await createRawTarget(({ socket }) => {
      sockets.push(socket);
      socket.once('data', () => {
        socket.write(head);
        const more = (): void => {
          while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
        };
        socket.on('drain', more);
        more();
      });
    });
    onTestFinished(() => target.close());
    const { port } = await startGateway();
    expect(codeOf(await sendGet(port, `http://127.0.0.1:${target.port}/`))).toEqual([503, 'banned']);
    await Promise.all(target.connections.map((connection) => connection.closed()));
    expect(sockets).toHaveLength(2);
    for (const { bytesWritten } of sockets) expect(bytesWritten).toBeLessThan(16 * 1024 * 1024);
  });

  test('the client that leaves meanwhile takes its use with it', async () => {
    const target = await startTarget((_, res) => {
      res.writeHead(200, { 'Content-Type': 'text/html' }).write('slowly');
    });
    const { port, event, gateway } = await startGateway(PATTERNS);
    const socket = openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    await event(({ type }) => type === 'use.started');
    while (target.arrivals.length === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    expect(await event(({ type }) => type === 'use.settled')).toMatchObject({ error: 'client_conn_closed' });
    expect(gateway.heldUses).toBe(0);
  });
});

describe('a banned outgoing IP', () => {
  const ban: RequestListener = (_, res) => res.writeHead(403).end('no');

  test('is kept from that domain and its sub-domains, not from others', async () => {
    const target = await startTarget((req, res) => {
      if (req.url === '/ban') ban(req, res);
      else res.end('ok');
    });
    const { port } = await startGateway({ upstreams: [await namingProxy(1), await namingProxy(2)] });
    const at = (host: string, path = ''): string => `http://${host}.test:${target.port}/${path}`;
    expect(codeOf(await sendGet(port, at('www.shop', 'ban'), once))).toEqual([503, 'banned']);
    const from = async (url: string): Promise<string | undefined> =>
      (await sendGet(port, url)).header('X-Crawlera-Slave');
    expect([await from(at('shop')), await from(at('img.shop')), await from(at('shop'))]).toEqual(
      Array.from({ length: 3 }, () => '192.0.2.2'),
    );
    expect(new Set([await from(at('other')), await from(at('other'))])).toEqual(new Set(['192.0.2.1', '192.0.2.2']));
  });

  test('comes back when it has cooled', async () => {
    const target = await startTarget((req, res) => {
      if (target.arrivals.length === 1) ban(req, res);
      else res.end('ok');
    });
    const { port } = await startGateway({ upstreams: ['local://127.0.0.2'], bans: { cooldown: '300ms' } });
    const first = await sendGet(port, target.url);
    expect([...codeOf(first), first.header('Retry-After')]).toEqual([503, 'banned', '1']);
    expect(codeOf(await sendGet(port, target.url))).toEqual([503, 'banned']);
    expect(target.arrivals).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await sendGet(port, target.url)).status).toBe(200);
  });

  test('when all are, the answer says when the first may be used again, and the target is not asked', async () => {
    const target = await startTarget(ban);
    const { port } = await startGateway({ bans: { cooldown: '100s' }, delays: { default: '1100ms' } });
    await sendGet(port, target.url, once);
    await sendGet(port, `http://localhost:${target.port}/`, once);
    const second = await sendGet(port, target.url);
    // The first attempt of this one was held behind the two before it; the first IP has cooled for that long.
    expect([...codeOf(second), Number(second.header('Retry-After'))]).toEqual([503, 'banned', 99]);
    const asked = target.arrivals.length;
    const third = await sendGet(port, target.url);
    expect([...codeOf(third), Number(third.header('Retry-After')) <= 99]).toEqual([503, 'banned', true]);
    expect(target.arrivals).toHaveLength(asked);
  });

  for (const [name, headers, password] of [
    ['No-Bancheck', 'X-Crawlera-No-Bancheck: 1\r\n', ''],
    ['No-Bancheck of 0', 'X-Crawlera-No-Bancheck: 0\r\n', ''],
    ['No-Bancheck of nothing', 'X-Crawlera-No-Bancheck:\r\n', ''],
    ['No-Bancheck in another case', 'x-crawlera-no-bancheck: disable\r\n', ''],
    ['bancheck-off in the credentials', '', 'bancheck-off'],
    ['No-Bancheck in a session', `X-Crawlera-No-Bancheck: 1\r\n${create}`, ''],
    ['bancheck-off in a session', create, 'bancheck-off'],
  ] as const) {
    test(`with ${name} the page is delivered, and nobody is banned`, async () => {
      const target = await startTarget(ban);
      const { port } = await startGateway({ upstreams: ['local://127.0.0.2'] });
      for (let index = 0; index < 2; index += 1) {
        expect(await sendGet(port, target.url, headers, password)).toMatchObject({
          status: 403,
          body: expect.stringContaining('no') as string,
        });
      }
    });
  }

  test('with bancheck off in the session that was made, too', async () => {
    const target = await startTarget(ban);
    const { port, url } = await startGateway();
    const made = await fetch(`${url}/api/sessions`, {
      method: 'POST',
      headers: { ...auth, 'content-type': 'application/json' },
      body: '{"bancheck": false}',
    });
    const { id } = (await made.json()) as { id: string };
    for (let index = 0; index < 2; index += 1) {
      const answer = await sendGet(port, target.url, inSession(id));
      expect([...codeOf(answer), answer.header('X-Crawlera-Session')]).toEqual([403, undefined, id]);
    }
  });
});

describe('a banned session', () => {
  async function startBanned(options: GatewayOptions = {}) {
    const target = await startTarget((req, res) => res.writeHead(req.url === '/ban' ? 403 : 200).end());
    const started = await startGateway({ bans: { cooldown: '300s' }, ...options });
    const made = await sendGet(started.port, target.url, create);
    const id = made.header('X-Crawlera-Session') ?? '';
    const answer = await sendGet(started.port, `${target.url}/ban`, inSession(id));
    const list = async (): Promise<unknown> => (await fetch(`${started.url}/sessions`, { headers: auth })).json();
    return { ...started, target, id, answer, list };
  }

  test('says so at every use, of other sites too, without asking; it is listed, and can be deleted', async () => {
    const { port, url, target, id, answer, list } = await startBanned();
    const [, other] = [target, await startTarget()];
    expect([...codeOf(answer), answer.header('X-Crawlera-Session'), answer.header('Retry-After')]).toEqual([
      503,
      'banned',
      id,
      '300',
    ]);
    for (const site of [target.url, `http://localhost:${other.port}`]) {
      const again = await sendGet(port, site, inSession(id));
      expect([...codeOf(again), again.header('X-Crawlera-Session')]).toEqual([503, 'banned', id]);
      expect(Number(again.header('Retry-After'))).toBeGreaterThan(0);
    }
    const { answer: tunnel } = await sendConnect(port, `127.0.0.1:${target.port}`, { password: `session-${id}` });
    expect(codeOf(tunnel)).toEqual([503, 'banned']);
    expect([target.arrivals.length, other.arrivals.length]).toEqual([2, 0]);
    expect(await list()).toHaveProperty(id);
    expect((await fetch(`${url}/sessions/${id}`, { method: 'DELETE', headers: auth })).status).toBe(200);
    expect(codeOf(await sendGet(port, target.url, inSession(id)))).toEqual([400, 'bad_session_id']);
  });

  test('is gone under onBan: drop', async () => {
    const { port, target, id, answer, list } = await startBanned({ sessions: { onBan: 'drop' } });
    expect([...codeOf(answer), answer.header('X-Crawlera-Session')]).toEqual([503, 'banned', id]);
    expect(await list()).toEqual({});
    expect(codeOf(await sendGet(port, target.url, inSession(id)))).toEqual([400, 'bad_session_id']);
  });

  test('has its outgoing IP kept from the site outside sessions, too', async () => {
    const { port, target } = await startBanned();
    for (let index = 0; index < 3; index += 1) {
      expect((await sendGet(port, target.url)).header('X-Crawlera-Slave')).toBe('127.0.0.3');
    }
  });

  test('does not take an answer from those who asked before, nor lets those go who were held', async () => {
    const [isBanned, tellBanned] = deferred();
    const target = await startTarget((req, res) => {
      if (req.url === '/slow') void isBanned.then(() => res.end('late'));
      else res.writeHead(req.url === '/ban' ? 403 : 200).end();
    });
    const { port, event } = await startGateway({ delays: { default: '300ms' } });
    const id = (await sendGet(port, target.url, create)).header('X-Crawlera-Session') ?? '';
    const asked = ['/slow', '/ban', '/held/1', '/held/2'].map(async (path) => {
      const pending = sendGet(port, target.url + path, inSession(id));
      await event((seen: GatewayEvent) => seen.type === 'use.started');
      return pending;
    });
    await event((seen) => seen.type === 'use.settled' && seen.error === 'banned');
    tellBanned();
    const answers = await Promise.all(asked);
    expect(answers.map(codeOf)).toEqual([
      [200, undefined],
      [503, 'banned'],
      [503, 'banned'],
      [503, 'banned'],
    ]);
    expect(target.arrivals.map(({ url }) => url)).toEqual(['/', '/slow', '/ban']);
  });

  test('outside sessions those who were held leave by another IP, even a POST', async () => {
    const target = await startTarget((req, res) => res.writeHead(req.url === '/ban' ? 403 : 200).end());
    const { port } = await startGateway({ delays: { default: '300ms' } });
    const upstreams = await Promise.all(['/', '/'].map((path) => sendGet(port, target.url + path)));
    expect(upstreams.map(({ status }) => status)).toEqual([200, 200]);
    const banned = sendGet(port, `${target.url}/ban`, once);
    const post = `POST ${target.url}/held HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n${proxyAuth()}\r\nbody`;
    const held = await Promise.all([1, 2].map(() => sendRaw(port, post)));
    const bannedIp = target.arrivals.find(({ url }) => url === '/ban')?.fromIp;
    expect((await banned).status).toBe(503);
    expect(held.map(({ status }) => status)).toEqual([200, 200]);
    expect(target.arrivals.filter(({ url, fromIp }) => url === '/held' && fromIp === bannedIp)).toEqual([]);
  });
});
