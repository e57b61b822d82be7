// What requests inside a tunnel that is looked into ask for, and get: each its own session, the fields of the CONNECT
// where they say nothing, and the place that the CONNECT named.

import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import { VERSION } from '../../src/protocol/version.js';
import { API_KEY, startGateway, type TestGateway } from '../support/gateway.js';
import { createSession, enterTunnel, getInside, startSecureTarget, TRUSTING, until } from '../support/intercepted.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { proxyAuth, readAnswer, sendConnect } from '../support/raw-client.js';
import { RawConnection } from '../support/target-raw.js';

const ALWAYS = { ...TRUSTING, intercept: 'always' } as const;
const sessionIs = (id: string): string => `X-Crawlera-Session: ${id}\r\n`;

/** IDs of the sessions that served, in the order of the answers in a text. */
function sessionsIn(text: string): string[] {
  return [...text.matchAll(/\r\nX-Crawlera-Session: (\d+)\r\n/g)].map(([, id = '']) => id);
}

describe('each request in a tunnel has its own session', () => {
  test('two that alternate on one connection leave by their own IPs', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const ids = [await createSession(port), await createSession(port)];
    const secured = await enterTunnel(port, target.authority);
    for (let index = 0; index < 6; index += 1) {
      const id = ids[index % 2] ?? '';
      const answer = await getInside(secured, '/', sessionIs(id));
      expect(answer.header('X-Crawlera-Session')).toBe(id);
      expect(answer.header('X-Crawlera-Slave')).toBe(target.arrivals[index]?.fromIp);
    }
    const [first, second] = [0, 1].map((start) => target.arrivals.filter((_, index) => index % 2 === start));
    for (const arrivals of [first, second]) expect(new Set(arrivals?.map(({ fromIp }) => fromIp)).size).toBe(1);
    expect(first?.[0]?.fromIp).not.toBe(second?.[0]?.fromIp);
  });

  test('a create makes one each time, told in exact case', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority);
    const answers = [
      await getInside(secured, '/', sessionIs('create')),
      await getInside(secured, '/', sessionIs('create')),
      await getInside(secured),
    ];
    const [first, second, none] = answers.map((answer) => answer.header('X-Crawlera-Session'));
    expect(first).toMatch(/^\d+$/);
    expect(second).not.toBe(first);
    expect(none).toBeUndefined();
    expect(answers.map((answer) => answer.header('X-Crawlera-Version'))).toEqual(Array(3).fill(VERSION));
  });

  test('an error is told inside with its code and the ID that was sent, and the next request is served', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority);
    for (const [headers, status, code, echoed] of [
      [sessionIs('404'), 400, 'bad_session_id', '404'],
      ['X-Crawlera-Cookies: maybe\r\n', 540, 'bad_header', undefined],
      ['X-Crawlera-Region: xx\r\n', 503, 'noslaves', undefined],
    ] as const) {
      const answer = await getInside(secured, '/', headers);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([status, code]);
      expect(answer.header('X-Crawlera-Session')).toBe(echoed);
    }
    expect((await getInside(secured)).status).toBe(200);
    expect(target.arrivals).toHaveLength(1);
  });
});

describe('what the CONNECT says holds for every request inside that does not say otherwise', () => {
  test('a session by its ID', async () => {
    const [{ port }, target] = [await startGateway(ALWAYS), await startSecureTarget()];
    const [outer, inner] = [await createSession(port), await createSession(port)];
    const secured = await enterTunnel(port, target.authority, { headers: sessionIs(outer) });
    const served: (string | undefined)[] = [];
    for (const headers of ['', sessionIs(inner), '']) {
      served.push((await getInside(secured, '/', headers)).header('X-Crawlera-Session'));
    }
    expect(served).toEqual([outer, inner, outer]);
  });

  test('a session in the credentials, which both fields beat', async () => {
    const [{ port }, target] = [await startGateway(ALWAYS), await startSecureTarget()];
    const [outer, inner] = [await createSession(port), await createSession(port)];
    const named = await enterTunnel(port, target.authority, { password: 'session-shop' });
    const name = (await getInside(named)).header('X-Crawlera-Session');
    expect((await getInside(named)).header('X-Crawlera-Session')).toBe(name);
    const entering = { password: 'session-shop', headers: sessionIs(outer) };
    const secured = await enterTunnel(port, target.authority, entering);
    expect((await getInside(secured)).header('X-Crawlera-Session')).toBe(outer);
    expect((await getInside(secured, '/', sessionIs(inner))).header('X-Crawlera-Session')).toBe(inner);
  });

  test('other control fields', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority, { headers: 'X-Crawlera-Debug: request-time\r\n' });
    expect((await getInside(secured)).header('X-Crawlera-Debug-Request-Time')).toMatch(/^[\d.]+$/);
    const other = await getInside(secured, '/', 'X-Crawlera-Debug: ua\r\nUser-Agent: me\r\n');
    expect(other.header('X-Crawlera-Debug-Request-Time')).toBeUndefined();
    expect(other.header('X-Crawlera-Debug-UA')).toBe('me');
  });
});

describe('a create on the CONNECT', () => {
  const create = { headers: sessionIs('create') };

  test('makes its session at the first request inside, and the tunnel keeps to it', async () => {
    const [{ port, events }, target] = [await startGateway(ALWAYS), await startSecureTarget()];
    const own = await createSession(port);
    const made = (): number => events.filter(({ type }) => type === 'session.created').length;
    const secured = await enterTunnel(port, target.authority, create);
    expect(made()).toBe(1);
    const ids: (string | undefined)[] = [];
    for (const headers of ['', '', sessionIs(own), '']) {
      ids.push((await getInside(secured, '/', headers)).header('X-Crawlera-Session'));
    }
    expect(made()).toBe(2);
    expect(ids[0]).toMatch(/^\d+$/);
    expect(ids).toEqual([ids[0], ids[0], own, ids[0]]);
    const other = await enterTunnel(port, target.authority, create);
    expect((await getInside(other)).header('X-Crawlera-Session')).not.toBe(ids[0]);
  });

  test('makes one for requests that are sent behind one another, too', async () => {
    const [{ port, events }, target] = [await startGateway(ALWAYS), await startSecureTarget()];
    const client = new RawConnection(await enterTunnel(port, target.authority, create));
    const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    client.socket.write(get('/1') + get('/2') + get('/3') + get('/4'));
    await until(() => sessionsIn(client.text).length === 4);
    expect(new Set(sessionsIn(client.text)).size).toBe(1);
    expect(events.filter(({ type }) => type === 'session.created')).toHaveLength(1);
    expect(target.arrivals.map(({ url }) => url)).toEqual(['/1', '/2', '/3', '/4']);
  });

  test('that is refused is tried again by the next request', async () => {
    const [{ port }, target] = [await startGateway({ ...ALWAYS, sessions: { max: 1 } }), await startSecureTarget()];
    const only = await createSession(port);
    const secured = await enterTunnel(port, target.authority, create);
    expect((await getInside(secured)).header('X-Crawlera-Error')).toBe('user_session_limit');
    await new SessionsClient(`http://${API_KEY}:@127.0.0.1:${port}`).delete(only);
    expect((await getInside(secured)).header('X-Crawlera-Session')).toMatch(/^\d+$/);
  });
});

describe('a tunnel belongs to the API key of its CONNECT', () => {
  test('credentials inside mean nothing, and go no further', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority);
    for (const auth of [proxyAuth(), proxyAuth('session-404', 'another-key-1'), 'Proxy-Authorization: garbage\r\n']) {
      expect((await getInside(secured, '/', `${auth}Authorization: Basic eDp5\r\n`)).status).toBe(200);
    }
    for (const { rawHeaders } of target.arrivals) {
      expect(rawHeaders).toEqual(['Host', 'inner.example', 'Authorization', 'Basic eDp5', 'Connection', 'keep-alive']);
    }
  });
});

describe('a tunnel leads to the authority of its CONNECT', () => {
  test('never to the Host of a request, nor to the authority of its request line', async () => {
    const [{ port }, target, other] = [
      await startGateway(TRUSTING),
      await startSecureTarget(),
      await startSecureTarget(),
    ];
    const secured = await enterTunnel(port, target.authority);
    for (const line of ['GET /1', `GET https://${other.authority}/2?q`, `GET http://${other.authority}`, 'OPTIONS *']) {
      const answer = readAnswer(secured);
      secured.write(`${line} HTTP/1.1\r\nHost: ${other.authority}\r\n\r\n`);
      expect((await answer).status).toBe(200);
    }
    expect(target.arrivals.map(({ url }) => url)).toEqual(['/1', '/2?q', '/', '*']);
    expect(target.arrivals[0]?.rawHeaders.slice(0, 2)).toEqual(['Host', other.authority]);
    expect(other.arrivals).toEqual([]);
  });

  test('paths of our API among them', async () => {
    const [{ port, events }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority);
    for (const path of ['/sessions', '/api/sessions', '/ca.crt', '/healthz']) {
      const answer = readAnswer(secured);
      secured.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 0\r\n\r\n`);
      expect((await answer).body).toContain('ok');
    }
    expect(target.arrivals.map(({ url }) => url)).toEqual(['/sessions', '/api/sessions', '/ca.crt', '/healthz']);
    expect(events.filter(({ type }) => type === 'session.created')).toEqual([]);
  });

  test('a CONNECT inside leads nowhere', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority);
    const answer = readAnswer(secured);
    secured.write(`CONNECT ${target.authority} HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    expect([(await answer).status, (await answer).header('X-Crawlera-Error')]).toEqual([400, 'bad_request']);
  });

  test('and behind a request that runs it ends the connection, with nothing in the middle of an answer', async () => {
    const target = await startSecureTarget((_, res) => void res.write('begin'));
    const { port } = await startGateway(TRUSTING);
    const client = new RawConnection(await enterTunnel(port, target.authority));
    client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.received('begin');
    client.socket.write(`CONNECT ${target.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.end();
    expect(client.text).not.toContain('400');
  });
});

describe('the TLS of a target', () => {
  test('is held against the roots: 502 bad_cert inside, with the cure', async () => {
    const [{ port }, target] = [await startGateway(), await startSecureTarget()];
    const secured = await enterTunnel(port, target.authority);
    const answer = await getInside(secured);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'bad_cert']);
    expect(answer.body).toContain('targets.insecure');
    expect(target.arrivals).toEqual([]);
  });

  test('is not, where the target is listed as insecure', async () => {
    const targets = { allowPrivate: true, insecure: ['127.0.0.1'] };
    const [{ port }, target] = [await startGateway({ targets }), await startSecureTarget()];
    expect((await getInside(await enterTunnel(port, target.authority))).status).toBe(200);
    const other = await enterTunnel(port, target.authority.replace('127.0.0.1', 'localhost'));
    expect((await getInside(other)).header('X-Crawlera-Error')).toBe('bad_cert');
  });

  test('is asked for the name that the client asked for, or for that of the CONNECT', async () => {
    const [{ port }, target] = [await startGateway(TRUSTING), await startSecureTarget()];
    const byName = target.authority.replace('127.0.0.1', 'localhost');
    for (const [authority, servername, asked] of [
      [target.authority, 'shop.example.com', 'shop.example.com'],
      [byName, 'shop.example.com', 'shop.example.com'],
      [byName, '', 'localhost'],
      [target.authority, '', undefined],
    ] as const) {
      await getInside(await enterTunnel(port, authority, { tls: { servername } }));
      expect(target.arrivals.at(-1)?.servername).toBe(asked);
    }
  });

  test('goes through a proxy as a tunnel, which sees nothing of it', async () => {
    const proxy = await createHttpProxy({ credentials: 'user:secret' });
    onTestFinished(() => proxy.close());
    const upstreams = [`http://user:secret@127.0.0.1:${proxy.port}`];
    const [{ port }, target] = [await startGateway({ ...TRUSTING, upstreams }), await startSecureTarget()];
    expect((await getInside(await enterTunnel(port, target.authority))).status).toBe(200);
    expect(proxy.asked).toContain(`CONNECT ${target.authority}`);
  });
});

test('a target that may not be contacted is 523 inside, for the gateway itself too', async () => {
  const { port } = await startGateway({ targets: {} });
  for (const authority of ['127.0.0.1:443', '[::1]:443', `127.0.0.1:${port}`]) {
    const answer = await getInside(await enterTunnel(port, authority));
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([523, 'domain_forbidden']);
  }
});

test('requests inside count as parallel ones, open tunnels do not', async () => {
  const target = await startSecureTarget((req, res) => void (req.url === '/slow' || res.end('ok')));
  const { port } = await startGateway({ ...TRUSTING, maxConnections: 1 });
  const [first, second] = [await enterTunnel(port, target.authority), await enterTunnel(port, target.authority)];
  expect((await getInside(first)).status).toBe(200);
  first.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => target.arrivals.length === 2);
  expect((await getInside(second)).header('X-Crawlera-Error')).toBe('too_many_conns');
  first.destroy();
  let status = 429;
  while (status === 429) ({ status } = await getInside(second));
  expect(status).toBe(200);
});

describe('bytes of requests inside are counted for their session, once each', () => {
  const BODY = 10_000;
  const post = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY}\r\n`;

  async function trafficOf({ url }: TestGateway, id: string): Promise<readonly [out: number, back: number]> {
    const session = await new SessionsClient(url.replace('//', `//${API_KEY}:@`)).get(id);
    return [session?.bytesOut ?? -1, session?.bytesIn ?? -1];
  }

  async function askTimes(socket: Socket, ids: readonly string[], at: 'once' | 'one by one'): Promise<void> {
    const client = new RawConnection(socket);
    for (const [index, id] of ids.entries()) {
      client.socket.write(`${post}${sessionIs(id)}\r\n${'x'.repeat(BODY)}`);
      if (at === 'one by one') await until(() => sessionsIn(client.text).length === index + 1);
    }
    await until(() => sessionsIn(client.text).length === ids.length && client.text.endsWith('0\r\n\r\n'));
  }

  for (const at of ['one by one', 'once'] as const) {
    test(`sent ${at}`, async () => {
      const target = await startSecureTarget((req, res) => void req.pipe(res));
      const gateway = await startGateway(TRUSTING);
      const ids = [await createSession(gateway.port), await createSession(gateway.port)];
      await askTimes(await enterTunnel(gateway.port, target.authority), [...ids, ...ids], at);
      await until(() => gateway.events.filter(({ type }) => type === 'use.settled').length === 4);
      const traffic = await Promise.all(ids.map((id) => trafficOf(gateway, id)));
      const out = traffic.reduce((sum, [bytes]) => sum + bytes, 0);
      const back = traffic.reduce((sum, [, bytes]) => sum + bytes, 0);
      for (const bytes of [out, back]) {
        expect(bytes).toBeGreaterThanOrEqual(4 * BODY);
        expect(bytes).toBeLessThan(4 * BODY + 4 * 1000);
      }
    });
  }
});

describe('a gateway that closes', () => {
  test('answers requests held inside 503 serverbusy at once', async () => {
    const target = await startSecureTarget();
    const { port, gateway } = await startGateway({
      ...TRUSTING,
      delays: { default: '60s' },
      upstreams: ['local://127.0.0.2'],
    });
    await getInside(await enterTunnel(port, target.authority));
    const held = getInside(await enterTunnel(port, target.authority));
    await until(() => gateway.heldUses === 1);
    const closed = gateway.close();
    const answer = await held;
    expect([answer.status, answer.header('X-Crawlera-Error'), answer.header('Retry-After')]).toEqual([
      503,
      'serverbusy',
      '5',
    ]);
    await closed;
  });

  test('lets a request that runs inside end, and closes its tunnel behind it', async () => {
    let letEnd = (): void => undefined;
    const target = await startSecureTarget((_, res) => void (letEnd = () => res.end('ended')));
    const { port, gateway } = await startGateway({ ...TRUSTING, drainTimeout: '50s' });
    const secured = await enterTunnel(port, target.authority);
    const running = getInside(secured);
    await until(() => target.arrivals.length === 1);
    const closed = gateway.close();
    letEnd();
    expect((await running).body).toContain('ended');
    await closed;
  });

  test('closes tunnels on which nothing runs, at whatever stage, without delay', async () => {
    const target = await startSecureTarget();
    const { port, gateway, events } = await startGateway({ ...TRUSTING, drainTimeout: '50s' });
    await enterTunnel(port, target.authority);
    await getInside(await enterTunnel(port, target.authority));
    const before = events.length;
    const stages = await openStages(port, target.authority);
    await gateway.close();
    await Promise.all(stages.map((client) => client.end()));
    expect(events.slice(before).map(({ type }) => type)).toEqual(['gateway.closing']);
  });

  test('cuts a blind tunnel that a sniffed one has become, and has settled it then', async () => {
    const target = await startSecureTarget();
    const { port, gateway, events, event } = await startGateway({ ...TRUSTING, drainTimeout: '50ms' });
    const client = await openInTunnel(port, target.authority, '\u0000');
    await event(({ type }) => type === 'use.started');
    await gateway.close();
    await client.end();
    expect(events.filter(({ type }) => type === 'use.settled')).toHaveLength(1);
  });
});

/** Tunnels in which nothing was said yet, half a TLS record, and half a request. */
function openStages(port: number, authority: string): Promise<RawConnection[]> {
  return Promise.all(['', '\u0016\u0003\u0001\u0001', 'GET / HT'].map((said) => openInTunnel(port, authority, said)));
}

async function openInTunnel(port: number, authority: string, said: string): Promise<RawConnection> {
  const { socket } = await sendConnect(port, authority);
  socket.write(said, 'latin1');
  return new RawConnection(socket);
}
