import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { API_KEY, OTHER_KEY, startGateway, startTarget } from '../support/gateway.js';
import { proxyAuth, type RawAnswer, readAnswer, sendConnect, sendGet, sendRaw } from '../support/raw-client.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const auth = { authorization: `Basic ${Buffer.from(`${API_KEY}:`).toString('base64')}` };
const inSession = (id: string): string => `Zyte-Session-ID: ${id}\r\n`;

function expectRequestId(answer: RawAnswer): void {
  const values = answer.rawHeaders.filter((_, index) => answer.rawHeaders[index - 1] === 'Zyte-Request-Id');
  expect(values).toEqual([expect.stringMatching(UUID)]);
}

/** The problem that an answer is, after the fields were held against the body. */
function problemOf(answer: RawAnswer): readonly [number, string | undefined] {
  expectRequestId(answer);
  expect(answer.header('Content-Type')).toBe('application/problem+json');
  expect(JSON.parse(answer.body)).toMatchObject({
    type: answer.header('Zyte-Error-Type'),
    title: answer.header('Zyte-Error-Title'),
    status: answer.status,
  });
  return [answer.status, answer.header('Zyte-Error-Type')];
}

async function sessionIds(url: string): Promise<string[]> {
  const answer: unknown = await (await fetch(`${url}/sessions`, { headers: auth })).json();
  return Object.keys(answer as object);
}

describe('a session whose ID its client chose', () => {
  test('is made when the ID is first seen, and keeps its outgoing IP', async () => {
    const [{ port, url }, target] = [await startGateway(), await startTarget()];
    const ids = [randomUUID(), randomUUID()] as const;
    const ips = [];
    for (let round = 0; round < 3; round += 1) {
      for (const id of ids) {
        const answer = await sendGet(port, target.url, inSession(round === 1 ? id.toUpperCase() : id));
        expect(answer.status).toBe(200);
        expectRequestId(answer);
        ips.push(answer.header('X-Crawlera-Slave'));
      }
    }
    expect(ips).toEqual([ips[0], ips[1], ips[0], ips[1], ips[0], ips[1]]);
    expect(ips[0]).not.toBe(ips[1]);
    expect(await sessionIds(url)).toHaveLength(2);
    expect(target.arrivals[0]?.rawHeaders.join(' ').toLowerCase()).not.toContain('zyte');
  });

  test('belongs to its API key', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const id = randomUUID();
    const first = await sendGet(port, target.url, inSession(id));
    const head = `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth('', OTHER_KEY)}${inSession(id)}\r\n`;
    const other = await sendRaw(port, head);
    expect(other.header('X-Crawlera-Session')).not.toBe(first.header('X-Crawlera-Session'));
  });

  for (const [name, zyte, waitsMs] of [
    ['its idle time', { idleTtl: '300ms' }, [320]],
    ['its whole time, however often it is used', { ttl: '2400ms', idleTtl: '2s' }, [700, 700, 1100]],
  ] as const satisfies readonly (readonly [string, GatewayOptions['zyte'], readonly number[]])[]) {
    test(`ends after ${name}, and its ID is spent`, async () => {
      const [{ port }, target] = [await startGateway({ zyte }), await startTarget()];
      const id = randomUUID();
      const statuses = [(await sendGet(port, target.url, inSession(id))).status];
      for (const ms of waitsMs) {
        await wait(ms);
        statuses.push((await sendGet(port, target.url, inSession(id))).status);
      }
      expect(statuses).toEqual([...statuses.slice(1).map(() => 200), 422]);
      const answer = await sendGet(port, target.url, inSession(id));
      expect(problemOf(answer)).toEqual([422, '/problem/session-expired']);
      expect((await sendGet(port, target.url, inSession(randomUUID()))).status).toBe(200);
    });
  }

  test('outlives neither its deletion', async () => {
    const [{ port, url }, target] = [await startGateway(), await startTarget()];
    const id = randomUUID();
    await sendGet(port, target.url, inSession(id));
    const [made] = await sessionIds(url);
    await fetch(`${url}/sessions/${made}`, { method: 'DELETE', headers: auth });
    expect(problemOf(await sendGet(port, target.url, inSession(id)))).toEqual([422, '/problem/session-expired']);
  });

  test('is made on the country that is asked for', async () => {
    const upstreams = [{ url: 'local://127.0.0.2' }, { url: 'local://127.0.0.3', country: 'us' }];
    const [{ port }, target] = [await startGateway({ upstreams }), await startTarget()];
    const answer = await sendGet(port, target.url, `${inSession(randomUUID())}Zyte-Geolocation: US\r\n`);
    expect(answer.header('X-Crawlera-Slave')).toBe('127.0.0.3');
  });

  test('takes a blind tunnel where its CONNECT names it', async () => {
    const [{ port, url }, target] = [await startGateway(), await startTarget()];
    const headers = inSession(randomUUID());
    const { socket, answer } = await sendConnect(port, `127.0.0.1:${target.port}`, { headers });
    expectRequestId(answer);
    socket.write('GET /inside HTTP/1.1\r\nHost: x\r\nZyte-Device: mobile\r\n\r\n');
    expect((await readAnswer(socket)).header('Zyte-Request-Id')).toBeUndefined();
    expect(target.arrivals[0]?.rawHeaders).toContain('Zyte-Device');
    expect(await sessionIds(url)).toHaveLength(1);
  });

  test('makes its own jar', async () => {
    const target = await startTarget((req, res) => {
      if (req.url === '/set') res.setHeader('Set-Cookie', 'a=1');
      res.end(req.headers.cookie ?? 'none');
    });
    const { port } = await startGateway();
    const headers = `${inSession(randomUUID())}Zyte-Cookie-Management: auto\r\n`;
    await sendGet(port, `${target.url}/set`, headers);
    expect((await sendGet(port, target.url, headers)).body).toContain('a=1');
    const discarding = headers.replace('auto', 'discard');
    expect((await sendGet(port, target.url, `${discarding}Cookie: mine=1\r\n`)).body).toContain('none');
    const other = `${inSession(randomUUID())}Zyte-Cookie-Management: auto\r\n`;
    expect((await sendGet(port, target.url, other)).body).toContain('none');
  });
});

describe('the other fields', () => {
  for (const [device, pattern] of [
    ['desktop', /^Mozilla\/5\.0 (?!.*Mobi)/],
    ['mobile', /Mobi|Android/],
  ] as const) {
    test(`Zyte-Device: ${device} plays such a browser, but for what Zyte-Override-Headers names`, async () => {
      const target = await startTarget((req, res) => void res.end(req.headers['user-agent']));
      const { port } = await startGateway();
      const headers = `User-Agent: tool/1\r\nZyte-Device: ${device}\r\n`;
      expect((await sendRaw(port, bodyOnly(target.url, headers))).body).toMatch(pattern);
      const kept = await sendRaw(port, bodyOnly(target.url, `${headers}Zyte-Override-Headers: User-Agent\r\n`));
      expect(kept.body).toBe('tool/1');
    });
  }

  /** HTTP/1.0 gets its answer without chunks. */
  function bodyOnly(url: string, headers: string): string {
    return `GET ${url}/ HTTP/1.0\r\n${proxyAuth()}${headers}\r\n`;
  }

  test('Zyte-JobId and Zyte-Client go to the log, unknown ones nowhere', async () => {
    const [{ port, event }, target] = [await startGateway(), await startTarget()];
    const headers = 'Zyte-JobId: 1/2/3\r\nZyte-Client: tool/1\r\nZyte-Tags: {"a": "b"}\r\nZyte-IPType: x\r\n';
    expectRequestId(await sendGet(port, target.url, headers));
    expect(await event(({ type }) => type === 'use.settled')).toMatchObject({ jobId: '1/2/3', client: 'tool/1' });
    expect(target.arrivals[0]?.rawHeaders.join(' ')).not.toMatch(/zyte/i);
  });

  test('they are taken from the CONNECT around a request, too', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const { socket, answer } = await sendConnect(port, `127.0.0.1:${target.port}`, { headers: 'Zyte-JobId: 1\r\n' });
    expect(answer.header('Zyte-Request-Id')).toBeUndefined();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    expectRequestId(await readAnswer(socket));
  });
});

describe('errors are told as problems', () => {
  for (const [name, headers, path, expected] of [
    ['a session ID that is no UUID', 'Zyte-Session-ID: 12345\r\n', '/', [400, '/request/invalid']],
    [
      'one of another version',
      'Zyte-Session-ID: 7f2c0c7e-62a5-1d5e-9d39-2a2b8c6d5b11\r\n',
      '/',
      [400, '/request/invalid'],
    ],
    ['two session IDs', inSession(randomUUID()).repeat(2), '/', [400, '/request/invalid']],
    ['a bad device', 'Zyte-Device: tablet\r\n', '/', [400, '/request/invalid']],
    ['no way out', 'Zyte-Geolocation: fr\r\n', '/', [503, '/limits/over-global-limit']],
    ['a ban', 'Zyte-JobId: 1\r\n', '/ban', [520, '/download/temporary-error']],
    ['a target that closes', 'Zyte-JobId: 1\r\n', '/close', [521, '/download/internal-error']],
    ['a target that never answers', 'Zyte-JobId: 1\r\n', '/hang', [521, '/download/internal-error']],
    ['too many sessions', inSession(randomUUID()), '/', [422, '/problem/over-session-limit']],
  ] as const) {
    test(`${name}: ${expected.join(' ')}`, async () => {
      const target = await startTarget((req, res) => {
        if (req.url === '/ban') res.writeHead(403).end();
        else if (req.url === '/close') req.socket.destroy();
        else if (req.url !== '/hang') res.end();
      });
      const { port } = await startGateway({
        sessions: { max: 1 },
        timeouts: { response: '200ms' },
        retries: { default: 0 },
      });
      await sendGet(port, target.url, 'X-Crawlera-Session: create\r\n');
      const answer = await sendGet(port, target.url + path, headers);
      expect(problemOf(answer)).toEqual(expected);
    });
  }

  test('a ban in a session says when to come back', async () => {
    const target = await startTarget((_, res) => res.writeHead(429).end());
    const { port } = await startGateway({ bans: { cooldown: '90s' } });
    const answer = await sendGet(port, target.url, inSession(randomUUID()));
    expect([...problemOf(answer), answer.header('Retry-After')]).toEqual([520, '/download/temporary-error', '90']);
  });

  test('a session that was banned says so until it ends', async () => {
    const target = await startTarget((_, res) => res.writeHead(target.arrivals.length === 2 ? 403 : 200).end());
    const { port } = await startGateway({ zyte: { idleTtl: '300ms' }, bans: { cooldown: 0 } });
    const id = randomUUID();
    const codes = [];
    for (let round = 0; round < 3; round += 1) codes.push((await sendGet(port, target.url, inSession(id))).status);
    expect(codes).toEqual([200, 520, 520]);
    await wait(320);
    expect(problemOf(await sendGet(port, target.url, inSession(id)))).toEqual([422, '/problem/session-expired']);
    expect(target.arrivals).toHaveLength(2);
  });

  test('too many at a time, a forbidden target, a bad key', async () => {
    const [{ port }, target] = [await startGateway({ maxConnections: 1 }), await startTarget(() => undefined)];
    const job = 'Zyte-JobId: 1\r\n';
    sendGet(port, target.url).catch(() => undefined);
    while (target.arrivals.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(problemOf(await sendGet(port, target.url, job))).toEqual([429, '/limits/over-user-limit']);
    const strict = await startGateway({ targets: { allowPrivate: false } });
    expect(problemOf(await sendGet(strict.port, target.url, job))).toEqual([451, '/download/domain-forbidden']);
    const wrong = `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth('', 'wrong-key-1')}${job}\r\n`;
    const refused = await sendRaw(strict.port, wrong);
    expect(problemOf(refused)).toEqual([407, '/auth/proxy-auth-not-valid']);
    expect(refused.header('Proxy-Authenticate')).toContain('Basic');
  });
});

describe('a request with fields of both', () => {
  test('speaks the older dialect, and its other fields say nothing', async () => {
    const [{ port, url, events }, target] = [await startGateway(), await startTarget()];
    const headers = `X-Crawlera-JobId: old\r\nZyte-JobId: new\r\nZyte-Device: tablet\r\n${inSession('nonsense')}`;
    const answer = await sendGet(port, target.url, headers);
    expect([answer.status, answer.header('Zyte-Request-Id')]).toEqual([200, undefined]);
    expect(events).toContainEqual(expect.objectContaining({ type: 'use.settled', jobId: 'old', sessionId: undefined }));
    expect(await sessionIds(url)).toEqual([]);
  });

  test('gets its errors in that dialect', async () => {
    const { port } = await startGateway();
    const headers = `${inSession(randomUUID())}X-Crawlera-Session: 404\r\n`;
    const answer = await sendGet(port, 'http://127.0.0.1:1/', headers);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([400, 'bad_session_id']);
    expect([answer.header('X-Crawlera-Session'), answer.header('Zyte-Error-Type')]).toEqual(['404', undefined]);
  });
});
