import { describe, expect, onTestFinished, test } from 'vitest';
import { API_KEY, OTHER_KEY, startGateway, startTarget, type TestGateway } from '../support/gateway.js';
import { deferred } from '../support/deferred.js';
import { openRaw, proxyAuth, readAnswer, sendConnect, sendGet, sendRaw } from '../support/raw-client.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';

const once = 'X-Crawlera-Max-Retries: 0\r\n';
const auth = { authorization: `Basic ${Buffer.from(`${API_KEY}:`).toString('base64')}` };

function codeOf({ status, header }: { status: number; header: (name: string) => string | undefined }) {
  return [status, header('X-Crawlera-Error')];
}

const TOO_MANY = [429, 'too_many_conns'];

/** A target that answers when it is told to, and a gateway that lets an API key have `max` at a time. */
async function startFull(max: number) {
  const [isDone, finish] = deferred();
  const target = await startTarget((req, res) => {
    if (req.url === '/slow') void isDone.then(() => res.end('late'));
    else res.end('now');
  });
  const gateway = await startGateway({ maxConnections: max });
  const running = Array.from({ length: max }, () => sendGet(gateway.port, `${target.url}/slow`));
  // Tests that never let them finish end before they do.
  for (const request of running) request.catch(() => undefined);
  while (target.arrivals.length < max) await new Promise((resolve) => setImmediate(resolve));
  return { ...gateway, target, running, finish };
}

/** That an API key which may have one request at a time has none now. */
async function expectNoneRunning({ port }: Pick<TestGateway, 'port'>, url: string): Promise<void> {
  expect(codeOf(await sendGet(port, url))).toEqual([200, undefined]);
}

describe('an API key that has as many requests in flight as it may', () => {
  test('is told so at once, with a hint, until one of them ends', async () => {
    const { port, target, running, finish, events } = await startFull(2);
    const refused = await sendGet(port, target.url);
    expect([...codeOf(refused), refused.header('Retry-After')]).toEqual([...TOO_MANY, '1']);
    expect(refused.body).toContain('2 parallel connections');
    finish();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await sendGet(port, target.url)).status).toBe(200);
    expect(events.filter(({ type }) => type === 'request.rejected')).toMatchObject([{ error: 'too_many_conns' }]);
  });

  test('is told so of tunnels, too, and inside of those that are looked into', async () => {
    const { port, target } = await startFull(1);
    const authority = `127.0.0.1:${target.port}`;
    expect(codeOf((await sendConnect(port, authority, { password: 'session-a' })).answer)).toEqual(TOO_MANY);
    const { socket, answer } = await sendConnect(port, authority);
    expect(answer.status).toBe(200);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(codeOf(await readAnswer(socket))).toEqual(TOO_MANY);
  });

  test('is told so before a bad field is', async () => {
    const { port, target } = await startFull(1);
    expect(codeOf(await sendGet(port, target.url, 'X-Crawlera-Cookies: x\r\n'))).toEqual(TOO_MANY);
  });

  test('may still use the API, and so may another key the proxy', async () => {
    const { port, url, target } = await startFull(1);
    expect((await fetch(`${url}/sessions`, { headers: auth })).status).toBe(200);
    const other = `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth('', OTHER_KEY)}\r\n`;
    expect((await sendRaw(port, other)).status).toBe(200);
  });
});

test('there is no limit where none is set', async () => {
  const { port, target } = await startFull(0);
  const answers = await Promise.all(Array.from({ length: 50 }, () => sendGet(port, target.url)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

describe('a request counts', () => {
  test('while it is held', async () => {
    const target = await startTarget();
    const { port, event } = await startGateway({
      maxConnections: 1,
      delays: { default: '60s' },
      upstreams: ['local://127.0.0.2'],
    });
    await sendGet(port, target.url);
    const socket = openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    await event((seen) => seen.type === 'use.settled');
    let held = await sendGet(port, 'http://127.0.0.2:1/', once);
    while (held.status !== 429) held = await sendGet(port, 'http://127.0.0.2:1/', once);
    expect(codeOf(held)).toEqual(TOO_MANY);
    socket.destroy();
    await event((seen) => seen.type === 'use.settled' && seen.error === 'client_conn_closed');
  });

  test('until its answer has ended, not only begun', async () => {
    const target = await startTarget((req, res) => {
      if (req.url === '/slow') res.writeHead(200).write('begun');
      else res.end();
    });
    const { port, event } = await startGateway({ maxConnections: 1 });
    const socket = openRaw(port, `GET ${target.url}/slow HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    expect(codeOf(await sendGet(port, target.url))).toEqual(TOO_MANY);
    socket.destroy();
    await event(({ type }) => type === 'use.settled');
    await expectNoneRunning({ port }, target.url);
  });

  test('no longer once its tunnel is open', async () => {
    const [gateway, target] = [await startGateway({ maxConnections: 1 }), await startTarget()];
    for (let index = 0; index < 3; index += 1) {
      const authority = `127.0.0.1:${target.port}`;
      const { answer } = await sendConnect(gateway.port, authority, { password: 'session-a' });
      expect(answer.status).toBe(200);
    }
    await expectNoneRunning(gateway, target.url);
  });

  test('not as a CONNECT that is looked into', async () => {
    const [gateway, target] = [await startGateway({ maxConnections: 1 }), await startTarget()];
    for (let index = 0; index < 3; index += 1) {
      const { socket } = await sendConnect(gateway.port, `127.0.0.1:${target.port}`);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
      expect((await readAnswer(socket)).status).toBe(200);
    }
    await expectNoneRunning(gateway, target.url);
  });
});

describe('however a request ends, it no longer counts', () => {
  for (const [name, line, rest] of [
    ['a bad field', 'GET /', 'X-Crawlera-Profile: x\r\n\r\n'],
    ['an unknown session', 'GET /', 'X-Crawlera-Session: 404\r\n\r\n'],
    ['a forbidden target', 'GET http://169.254.169.254/', '\r\n'],
    ['a target that refuses', 'GET http://127.0.0.1:1/', '\r\n'],
    ['a name that is none', 'GET http://nowhere.invalid/', '\r\n'],
    ['a ban', 'GET /ban', '\r\n'],
    ['a reset', 'GET /reset', '\r\n'],
    ['an answer cut in the middle', 'GET /cut', '\r\n'],
    ['an answer that is too large', 'GET /large', '\r\n'],
    ['a body that is too large', 'POST /', 'Content-Length: 9999999\r\n\r\n'],
    ['a declined upgrade', 'GET /', 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['an upgrade that is refused', 'GET /reset', 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['an upgrade of a bad field', 'GET /', 'Connection: Upgrade\r\nUpgrade: x\r\nX-Crawlera-UA: x\r\n\r\n'],
    ['a CONNECT that fails', 'CONNECT 127.0.0.1:1', 'X-Crawlera-Session: create\r\n\r\n'],
    ['a CONNECT of a bad field', 'CONNECT 127.0.0.1:1', 'X-Crawlera-Session: x\r\n\r\n'],
    ['a CONNECT of a forbidden target', 'CONNECT 169.254.169.254:80', 'X-Crawlera-Session: create\r\n\r\n'],
  ] as const) {
    test(`by ${name}`, async () => {
      const target = await startTarget((req, res) => {
        if (req.url === '/ban') res.writeHead(403).end();
        else if (req.url === '/reset') req.socket.resetAndDestroy();
        else if (req.url === '/large') res.writeHead(200, { 'Content-Length': 2048 }).end(Buffer.alloc(2048));
        else if (req.url === '/cut') {
          res.writeHead(200, { 'Content-Length': 100 }).write('begun');
          setImmediate(() => req.socket.resetAndDestroy());
        } else res.end();
      });
      const { port } = await startGateway({
        maxConnections: 1,
        targets: { allowPrivate: true, deny: ['169.254.169.254'] },
        limits: { requestBytes: 1024, responseBytes: 1024 },
        bans: { cooldown: 0 },
      });
      const asked = line.replace(' /', ` ${target.url}/`);
      for (let index = 0; index < 2; index += 1) {
        const answer = await sendRaw(port, `${asked} HTTP/1.1\r\nHost: x\r\n${proxyAuth()}${rest}`).catch(
          () => undefined,
        );
        expect(answer?.status).not.toBe(429);
      }
      await expectNoneRunning({ port }, target.url);
    });
  }

  test('by the end of an upgraded connection', async () => {
    const target = await createRawTarget(({ socket }) => {
      socket.once('data', () => socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'));
    });
    onTestFinished(() => target.close());
    const plain = await startTarget();
    const { port, event } = await startGateway({ maxConnections: 1 });
    const head = `GET http://127.0.0.1:${target.port}/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n`;
    const socket = openRaw(port, `${head}${proxyAuth()}\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.resetAndDestroy();
    await event(({ type }) => type === 'use.settled');
    await expectNoneRunning({ port }, plain.url);
  });

  test('by clients that leave at any moment', async () => {
    const target = await startTarget((req, res) => {
      if (req.url !== '/hang') res.end();
    });
    const gateway = await startGateway({ maxConnections: 40 });
    for (let round = 0; round < 3; round += 1) {
      const sockets = Array.from({ length: 40 }, (_, index) => {
        const authority = `127.0.0.1:${target.port}`;
        const heads = [
          `GET ${target.url}/hang HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`,
          `GET ${target.url}/hang HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n${proxyAuth()}\r\n`,
          `POST ${target.url}/hang HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n${proxyAuth()}\r\nbegun`,
          `CONNECT ${authority} HTTP/1.1\r\n${proxyAuth()}\r\nGET /hang HTTP/1.1\r\nHost: x\r\n\r\n`,
        ];
        return openRaw(gateway.port, heads[index % heads.length] ?? '');
      });
      await Promise.all(
        sockets.map(async (socket, index) => {
          for (let turn = 0; turn < index * 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
          if (index % 2 === 0) socket.destroy();
          else socket.resetAndDestroy();
        }),
      );
    }
    await expect.poll(async () => codeOf(await sendGet(gateway.port, target.url))).toEqual([200, undefined]);
    const answers = await Promise.all(Array.from({ length: 40 }, () => sendGet(gateway.port, target.url)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(gateway.gateway.heldUses).toBe(0);
  });
});

describe('many clients at once', () => {
  const list = async (url: string): Promise<unknown> => (await fetch(`${url}/sessions`, { headers: auth })).json();

  test('against one upstream whose targets fail: all are answered, and nothing is left over', async () => {
    let seen = 0;
    const target = await startTarget((req, res) => {
      seen += 1;
      if (seen % 3 === 0) req.socket.resetAndDestroy();
      else if (seen % 3 === 1) res.writeHead(503).end();
      else req.socket.destroy();
    });
    const { port, url, gateway, events } = await startGateway({
      upstreams: ['local://127.0.0.2'],
      delays: { default: '5ms' },
      bans: { cooldown: 0 },
      maxConnections: 100,
    });
    const headers = [
      '',
      'X-Crawlera-Session: create\r\n',
      'X-Crawlera-Session: create\r\nX-Crawlera-Max-Retries: 2\r\n',
    ];
    const answers = await Promise.all(
      Array.from({ length: 90 }, (_, index) => sendGet(port, target.url, headers[index % 3])),
    );
    for (const { status } of answers) expect([502, 503]).toContain(status);
    expect(seen).toBe(30 + 30 + 90);
    expect(await list(url)).toEqual({});
    expect(gateway.heldUses).toBe(0);
    const count = (type: string): number => events.filter((event) => event.type === type).length;
    expect(count('use.settled')).toBe(count('use.started'));
    expect(count('session.ended')).toBe(count('session.created'));
  });

  test('against a target that bans every second request: all are served', async () => {
    let seen = 0;
    const target = await startTarget((_, res) => {
      seen += 1;
      res.writeHead(seen % 2 === 0 ? 403 : 200).end();
    });
    const upstreams = Array.from({ length: 30 }, (_, index) => `local://127.0.0.${index + 2}`);
    const { port } = await startGateway({ upstreams, bans: { cooldown: 0 }, retries: { default: 29 } });
    const answers = await Promise.all(Array.from({ length: 60 }, () => sendGet(port, target.url)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(seen).toBeGreaterThan(60);
  });

  test('through proxies that refuse, reset, close and hang: all are served by the one that works', async () => {
    const broken = await Promise.all(
      ['reset', 'close', 'hang', 'accept'].map(async (deed) => {
        const proxy = await createRawTarget(({ socket }) => {
          if (deed === 'accept') socket.resetAndDestroy();
          socket.once('data', () => {
            if (deed === 'reset') socket.resetAndDestroy();
            if (deed === 'close') socket.destroy();
          });
        });
        onTestFinished(() => proxy.close());
        return `http://127.0.0.1:${proxy.port}`;
      }),
    );
    const target = await startTarget();
    const upstreams = [...broken, `http://127.0.0.1:${await closedPort()}`, 'local://127.0.0.2'];
    const { port, events } = await startGateway({ upstreams, timeouts: { response: '300ms' } });
    const answers = await Promise.all(Array.from({ length: 30 }, () => sendGet(port, target.url)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(target.arrivals).toHaveLength(30);
    expect(events.filter(({ type }) => type === 'gateway.failure')).toEqual([]);
  });
});
