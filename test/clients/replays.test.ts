// The clients that can't run here, replayed: each gets a session its way, keeps its outgoing IP, is told that the
// session is dead in the words it understands, and gets another. A client reads field names as they stood on the
// wire, and goes on using its connection after a refusal.

import { describe, expect, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import type { TestTarget } from '../support/gateway.js';
import { proxyAuth, type RawAnswer, sendRaw } from '../support/raw-client.js';
import { type ReplayedClient, SCRAPY_MIDDLEWARE, SESSION_CLIENTS } from './replayed-clients.js';
import { type ClientGateway, leakedHeaders, SCHEMES, startClientGateway, startTargetOf } from './setting.js';
import { openPlainWire, openWire, type Wire } from './wire.js';

/** A client at work on one connection. */
interface Replay {
  readonly wire: Wire;
  readonly get: (path: string, session: string) => Promise<RawAnswer>;
  /** Gets a session the client's way; `path` is what it asks the target for, where it does. */
  readonly create: (path: string) => Promise<string>;
}

async function replay(client: ReplayedClient, gateway: ClientGateway, target: TestTarget): Promise<Replay> {
  const { host, protocol } = new URL(target.url);
  const wire = await openWire(gateway, target, client.connect(host));
  const get: Replay['get'] = (path, session) => {
    const fields = client.fields(host, session);
    if (protocol === 'https:') return wire.send(`GET ${path} HTTP/1.1\r\n${fields}\r\n`);
    const auth = /^proxy-authorization:/im.test(fields) ? '' : proxyAuth();
    return wire.send(`GET ${target.url}${path} HTTP/1.1\r\n${fields}${auth}\r\n`);
  };
  const create: Replay['create'] = async (path) => {
    const bytes = client.post?.(new URL(gateway.url).host);
    if (bytes !== undefined) return postedSession(await openPlainWire(gateway).send(bytes));
    return (await get(path, 'create')).header('X-Crawlera-Session') ?? '';
  };
  return { wire, get, create };
}

/** Clients put the body into a header as it is. */
function postedSession({ status, body }: RawAnswer): string {
  expect([status, body]).toEqual([200, expect.stringMatching(/^\d+$/)]);
  return body;
}

describe.each(SESSION_CLIENTS)('$name', (client) => {
  describe.each(SCHEMES)('over %s', (scheme) => {
    test('gets a session, keeps it on its connection, learns of its end and gets another', async () => {
      const [gateway, target] = [await startClientGateway(), await startTargetOf(scheme)];
      const { get, create } = await replay(client, gateway, target);

      const id = await create('/first');
      expect(id).toMatch(/^\d+$/);
      for (const path of ['/a', '/b']) {
        const answer = await get(path, id);
        expect([answer.status, answer.header('X-Crawlera-Session')]).toEqual([200, id]);
        expect(answer.header('X-Crawlera-Error')).toBeUndefined();
      }
      expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);

      await new SessionsClient(gateway.proxyUrl).delete(id);
      const dead = await get('/dead', id);
      expect([dead.status, dead.header('X-Crawlera-Error')]).toEqual([400, 'bad_session_id']);
      expect(dead.header('X-Crawlera-Session')).toBe(id);

      const next = await create('/next');
      expect(next).toMatch(/^\d+$/);
      expect(next).not.toBe(id);
      expect((await get('/c', next)).header('X-Crawlera-Session')).toBe(next);
      expect(target.arrivals.map(({ url }) => url)).not.toContain('/dead');
      expect(leakedHeaders(target)).toEqual([]);
    });

    test('keeps its session when it is too early: the refusal names no session', async () => {
      const gateway = await startClientGateway({ delays: { default: '60s', maxHold: '1s' } });
      const target = await startTargetOf(scheme);
      const { get, create } = await replay(client, gateway, target);
      const id = await create('/first');
      if (client.post !== undefined) await get('/first', id);

      const early = await get('/early', id);
      expect([early.status, early.header('X-Crawlera-Error')]).toEqual([503, 'serverbusy']);
      expect(early.header('X-Crawlera-Session')).toBeUndefined();
      expect(early.header('Retry-After')).toMatch(/^\d+$/);
      expect(target.arrivals.map(({ url }) => url)).toEqual(['/first']);
    });

    test('has the session on a redirect and on an error of the target, too', async () => {
      const gateway = await startClientGateway();
      const target = await startTargetOf(scheme, (req, res) => {
        if (req.url === '/moved') res.writeHead(302, { Location: '/' }).end();
        else res.writeHead(404).end('nothing');
      });
      const { get, create } = await replay(client, gateway, target);
      const id = await create('/moved');
      for (const [path, status] of [
        ['/moved', 302],
        ['/missing', 404],
      ] as const) {
        const answer = await get(path, id);
        expect([answer.status, answer.header('X-Crawlera-Session')]).toEqual([status, id]);
        expect(answer.header('X-Crawlera-Error')).toBeUndefined();
      }
    });

    test('sees a ban as the answer of the target if it asked for that, else as the end of its session', async () => {
      const gateway = await startClientGateway();
      const target = await startTargetOf(scheme, (_req, res) => res.writeHead(403).end('no'));
      const { get } = await replay(client, gateway, target);
      const { id } = await new SessionsClient(gateway.proxyUrl).create();
      const answer = await get('/', id);
      const asked = client.fields('', '').includes('X-Crawlera-No-Bancheck: 1');
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual(asked ? [403, undefined] : [503, 'banned']);
      expect(answer.header('X-Crawlera-Session')).toBe(id);
      if (!asked) expect(answer.header('Retry-After')).toMatch(/^\d+$/);
    });
  });
});

describe.each(SESSION_CLIENTS.filter(({ post }) => post === undefined))('$name', (client) => {
  test.each(SCHEMES)('gets a session for each request of a burst over %s', async (scheme) => {
    const [gateway, target] = [await startClientGateway(), await startTargetOf(scheme)];
    const replays = await Promise.all([1, 2, 3].map(() => replay(client, gateway, target)));
    const ids = await Promise.all(replays.map(({ create }) => create('/burst')));
    expect(new Set(ids).size).toBe(3);
    for (const [index, { get }] of replays.entries()) {
      const id = ids[index] ?? '';
      expect((await get('/after', id)).header('X-Crawlera-Session')).toBe(id);
    }
  });
});

describe(SCRAPY_MIDDLEWARE.name, () => {
  test.each(SCHEMES)('sees the version on every answer over %s, and seconds it can read', async (scheme) => {
    const gateway = await startClientGateway({
      upstreams: ['local://127.0.0.2'],
      delays: { default: '60s', maxHold: '1s' },
    });
    const target = await startTargetOf(scheme);
    const { get } = await replay(SCRAPY_MIDDLEWARE, gateway, target);
    const [first, early, unknown] = [await get('/first', ''), await get('/early', ''), await get('/unknown', '404')];
    expect([first, early, unknown].map(({ status }) => status)).toEqual([200, 503, 400]);
    for (const answer of [first, early, unknown]) expect(answer.header('X-Crawlera-Version')).toMatch(/^\d/);
    expect(Number.parseFloat(early.header('Retry-After') ?? '')).toBeGreaterThan(0);
    expect(early.header('X-Crawlera-Error')).not.toBe('banned');
    expect(leakedHeaders(target)).toEqual([]);
  });

  test('sees that its key is wrong, in the word it retries on', async () => {
    const gateway = await startClientGateway();
    const auth = proxyAuth('', 'not-the-key');
    for (const line of ['GET http://127.0.0.1:1/ HTTP/1.1', 'CONNECT 127.0.0.1:1 HTTP/1.1']) {
      const answer = await sendRaw(gateway.port, `${line}\r\nHost: 127.0.0.1:1\r\n${auth}\r\n`);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([407, 'bad_proxy_auth']);
      expect(answer.header('X-Crawlera-Version')).toMatch(/^\d/);
    }
  });
});

describe('zyte-smartproxy-headless-proxy', () => {
  test('deletes its session, dead or alive, and can read what it is told', async () => {
    const gateway = await startClientGateway();
    const { id } = await new SessionsClient(gateway.proxyUrl).create();
    const { host } = new URL(gateway.url);
    const fields = `Host: ${host}\r\nUser-Agent: zyte-proxy-headless-proxy\r\n${proxyAuth().replace('Proxy-', '')}`;
    const bytes = `DELETE /sessions/${id} HTTP/1.1\r\n${fields}Accept-Encoding: gzip\r\n\r\n`;
    const wire = openPlainWire(gateway);
    expect([(await wire.send(bytes)).status, (await wire.send(bytes)).status]).toEqual([200, 400]);
  });
});

describe('a browser', () => {
  test('is challenged on a CONNECT without credentials, and let in with them', async () => {
    const [gateway, target] = [await startClientGateway(), await startTargetOf('https')];
    const { host } = new URL(target.url);
    const fields = `Host: ${host}\r\nProxy-Connection: keep-alive\r\nUser-Agent: Mozilla/5.0\r\n`;
    const challenge = await sendRaw(gateway.port, `CONNECT ${host} HTTP/1.1\r\n${fields}\r\n`);
    expect(challenge.status).toBe(407);
    expect(challenge.header('Proxy-Authenticate')).toMatch(/^Basic realm="/);
    const connect = `CONNECT ${host} HTTP/1.1\r\n${fields}${proxyAuth()}\r\n`;
    const wire = await openWire(gateway, target, connect);
    expect((await wire.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status).toBe(200);
  });
});
