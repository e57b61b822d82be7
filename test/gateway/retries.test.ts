import type { RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayEvent, GatewayOptions } from '../../src/gateway/index.js';
import { API_KEY, startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer, sendGet, sendRaw } from '../support/raw-client.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';

const create = 'X-Crawlera-Session: create\r\n';
const retries = (times: number): string => `X-Crawlera-Max-Retries: ${times}\r\n`;
const inSession = (id: string): string => `X-Crawlera-Session: ${id}\r\n`;

/** Ways out from 127.0.0.2 on. */
function locals(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `local://127.0.0.${index + 2}`);
}

/** What a target does with a request: answers with a status, or worse. */
type Deed = number | 'reset' | 'end' | 'hang';

/** A target that does what `deeds` say with its first requests, and answers the others with `done`. */
function startFlaky(...deeds: Deed[]) {
  let seen = 0;
  const listener: RequestListener = (req, res) => {
    const deed = deeds[seen];
    seen += 1;
    if (deed === 'reset') req.socket.resetAndDestroy();
    else if (deed === 'end') req.socket.destroy();
    // A connection that is kept could be found dead, and asked once more for that alone.
    else if (typeof deed === 'number') res.writeHead(deed, { Connection: 'close' }).end('no');
    else if (deed === undefined) answerWhole(req, res);
  };
  return startTarget(listener);
}

const answerWhole: RequestListener = (req, res) => {
  let bytes = 0;
  req.on('data', (chunk: Buffer) => (bytes += chunk.length)).on('end', () => res.end(`done ${bytes}`));
};

/** A proxy that does nothing good with whoever connects. */
async function startBadProxy(deed: 'reset' | 'end' | 'hang'): Promise<string> {
  const proxy = await createRawTarget(({ socket }) => {
    if (deed === 'reset') socket.once('data', () => socket.resetAndDestroy());
    if (deed === 'end') socket.once('data', () => socket.destroy());
  });
  onTestFinished(() => proxy.close());
  return `http://127.0.0.1:${proxy.port}`;
}

async function refusingProxy(): Promise<string> {
  return `http://127.0.0.1:${await closedPort()}`;
}

/** The IDs of the sessions that the API key has. */
async function sessionIds(url: string): Promise<string[]> {
  const headers = { authorization: `Basic ${Buffer.from(`${API_KEY}:`).toString('base64')}` };
  const answer: unknown = await (await fetch(`${url}/sessions`, { headers })).json();
  return Object.keys(answer as object);
}

function uses(events: readonly GatewayEvent[]) {
  return events.flatMap((event) => (event.type === 'use.settled' ? [event] : []));
}

describe('outside sessions', () => {
  test('each attempt leaves by another outgoing IP until one has an answer', async () => {
    const target = await startFlaky(403, 429, 503);
    const { port, events } = await startGateway({ upstreams: locals(6) });
    const answer = await sendGet(port, `${target.url}/page`);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([200, undefined]);
    expect(answer.header('X-Crawlera-Slave')).toBe('127.0.0.5');
    expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5']);
    expect(new Set(target.arrivals.map(({ url }) => url))).toEqual(new Set(['/page']));
    expect(uses(events).map(({ retried, status, error }) => [retried, status, error])).toEqual([
      [true, undefined, 'banned'],
      [true, undefined, 'banned'],
      [true, undefined, 'banned'],
      [false, 200, undefined],
    ]);
  });

  for (const [name, options, headers, attempts] of [
    ['six by default', {}, '', 6],
    ['retries.default and one', { retries: { default: 2 } }, '', 3],
    ['one where that is 0', { retries: { default: 0 } }, '', 1],
    ['one more than the header says', {}, retries(1), 2],
    ['one where the header says 0', {}, retries(0), 1],
    ['six where the header says more than 5', { retries: { default: 0 } }, retries(9), 6],
    ['as many as the header says, where it means attempts', { retries: { headerMeans: 'attempts' } }, retries(3), 3],
    ['one for 0, where it means attempts', { retries: { headerMeans: 'attempts' } }, retries(0), 1],
    ['no more than there are ways out', { upstreams: locals(2) }, '', 2],
  ] as const satisfies readonly (readonly [string, GatewayOptions, string, number])[]) {
    test(`attempts are ${name}`, async () => {
      const target = await startTarget((_, res) => res.writeHead(503).end());
      const { port } = await startGateway({ upstreams: locals(8), ...options });
      const answer = await sendGet(port, target.url, headers);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([503, 'banned']);
      expect(target.arrivals).toHaveLength(attempts);
      expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(attempts);
    });
  }

  for (const header of ['x', '1.5', '-1', '']) {
    test(`Max-Retries of "${header}" is 540 and no attempt`, async () => {
      const [{ port }, target] = [await startGateway(), await startTarget()];
      const answer = await sendGet(port, target.url, `X-Crawlera-Max-Retries: ${header}\r\n`);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([540, 'bad_header']);
      expect(target.connections()).toBe(0);
    });
  }

  for (const [name, deed] of [
    ['resets', 'reset'],
    ['closes', 'end'],
    ['never answers', 'hang'],
  ] as const) {
    test(`a target that ${name} is asked again through another`, async () => {
      const target = await startFlaky(deed);
      const { port } = await startGateway({ timeouts: { response: '200ms' } });
      expect(await sendGet(port, target.url)).toMatchObject({ status: 200, body: 'done 0' });
      expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.2', '127.0.0.3']);
    });

    test(`a proxy that ${name} is passed over`, async () => {
      const target = await startFlaky();
      const upstreams = [await startBadProxy(deed), await startBadProxy(deed), 'local://127.0.0.2'];
      const { port } = await startGateway({ upstreams, timeouts: { response: '200ms' } });
      expect((await sendGet(port, target.url)).status).toBe(200);
      expect(target.arrivals).toHaveLength(1);
    });
  }

  test('proxies that share an outgoing IP with one that was banned are not tried, cool-downs or not', async () => {
    const target = await startTarget((_, res) => res.writeHead(403).end());
    const { port } = await startGateway({
      upstreams: [
        { url: 'local://127.0.0.2', name: 'a' },
        { url: 'local://127.0.0.2', name: 'b' },
        { url: 'local://127.0.0.3', name: 'c' },
      ],
      bans: { cooldown: 0 },
    });
    expect((await sendGet(port, target.url)).header('X-Crawlera-Error')).toBe('banned');
    expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.2', '127.0.0.3']);
  });

  test('all attempts stay in the region that is asked for', async () => {
    const target = await startTarget((_, res) => res.writeHead(403).end());
    const upstreams = locals(4).map((url, index) => ({ url, country: index % 2 === 0 ? 'de' : 'us' }));
    const { port } = await startGateway({ upstreams });
    const answer = await sendGet(port, target.url, 'X-Crawlera-Region: us\r\n');
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([503, 'banned']);
    expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(['127.0.0.3', '127.0.0.5']);
  });

  test('the code of the last failure is told', async () => {
    const target = await startFlaky(403);
    const { port } = await startGateway({ upstreams: ['local://127.0.0.2', await refusingProxy()] });
    const answer = await sendGet(port, target.url);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'econnrefused']);
  });

  test('a failure is told as itself, though the outgoing IPs that are left are banned', async () => {
    const target = await startFlaky(403);
    const upstreams = ['local://127.0.0.2', { url: await refusingProxy(), country: 'us' }];
    const { port } = await startGateway({ upstreams });
    await sendGet(port, target.url, retries(0));
    const answer = await sendGet(port, target.url);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([502, 'econnrefused']);
    expect(answer.header('Retry-After')).toBeUndefined();
  });

  test('an answer that breaks off after its head was told is not asked for again', async () => {
    const target = await startTarget((req, res) => {
      res.writeHead(200, { 'Content-Length': 100 }).write('begun');
      setImmediate(() => req.socket.resetAndDestroy());
    });
    const { port } = await startGateway({ upstreams: locals(3) });
    const socket = openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    const answer = await readAnswer(socket);
    expect([answer.status, answer.body]).toEqual([200, 'begun']);
    expect(target.arrivals).toHaveLength(1);
  });
});

describe('what the target may have seen is not sent again', () => {
  const length = (bytes: number): string => `Content-Length: ${bytes}\r\n\r\n${'b'.repeat(bytes)}`;
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
  const none = 'Content-Length: 0\r\n\r\n';

  for (const [method, name, rest, deed, attempts] of [
    ['GET', 'without a body', '\r\n', 'reset', 2],
    ['HEAD', 'without a body', '\r\n', 'reset', 2],
    ['OPTIONS', 'without a body', '\r\n', 'end', 2],
    ['DELETE', 'without a body', '\r\n', 'reset', 2],
    ['PUT', 'without a body', none, 'reset', 2],
    ['GET', 'with a body', length(5), 'reset', 1],
    ['PUT', 'with a body', length(5), 'reset', 1],
    ['PUT', 'with a body', length(5), 403, 1],
    ['POST', 'with a body', length(5), 'end', 1],
    ['POST', 'with a body', length(5), 403, 1],
    ['POST', 'with a body in chunks', chunked, 'reset', 1],
    ['POST', 'without a body', none, 'reset', 1],
    ['POST', 'without a body', none, 503, 1],
    ['PATCH', 'without a body', none, 'reset', 1],
    ['POST', 'with a body', length(5), 'hang', 1],
    ['POST', 'larger than what the connection takes', length(3_000_000), 'reset', 1],
  ] as const) {
    test(`${method} ${name}, met with ${deed}: ${attempts === 1 ? 'one attempt' : 'asked again'}`, async () => {
      const target = await startFlaky(deed);
      const { port } = await startGateway({ timeouts: { response: '200ms' } });
      const head = `${method} ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}Connection: close\r\n`;
      const { status } = await sendRaw(port, `${head}${rest}`);
      expect(target.arrivals).toHaveLength(attempts);
      expect(status).toBe(attempts === 2 ? 200 : { reset: 502, end: 502, hang: 504, 403: 503, 503: 503 }[deed]);
    });
  }

  for (const [name, rest, bytes] of [
    ['a body', length(5), 5],
    ['a body in chunks', chunked, 5],
    ['a large body', length(2_000_000), 2_000_000],
    ['no body', none, 0],
  ] as const) {
    test(`a POST with ${name} is tried elsewhere where its connection was refused, whole`, async () => {
      const target = await startFlaky();
      const { port } = await startGateway({ upstreams: [await refusingProxy(), 'local://127.0.0.2'] });
      const answer = await sendRaw(port, `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}${rest}`);
      expect(answer).toMatchObject({ status: 200, body: `done ${bytes}` });
    });
  }

  for (const [where, bytes] of [
    ['in memory', 50_000],
    ['on disk', 700_000],
  ] as const) {
    test(`so is one that was held before, and kept ${where}`, async () => {
      const target = await startFlaky();
      const upstreams = [await refusingProxy(), 'local://127.0.0.2'];
      const { port, events } = await startGateway({ upstreams, delays: { default: '600ms' } });
      await sendGet(port, target.url);
      const post = `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}Content-Length: ${bytes}\r\n\r\n`;
      expect((await sendRaw(port, post + 'b'.repeat(bytes))).body).toBe(`done ${bytes}`);
      const posts = uses(events).filter(({ method }) => method === 'POST');
      expect(posts.map(({ error }) => error)).toEqual(['econnrefused', undefined]);
      expect(posts[0]?.waitMs).toBeGreaterThan(0);
    });
  }
});

describe('inside sessions', () => {
  /** A gateway, and a session that has served one request. */
  async function startSession(options: GatewayOptions = {}, ...deeds: Deed[]) {
    const [{ port, url, events, event }, target] = [
      await startGateway({ upstreams: locals(4), ...options }),
      await startFlaky(200, ...deeds),
    ];
    const made = await sendGet(port, target.url, create);
    return { port, url, events, event, target, id: made.header('X-Crawlera-Session') ?? '' };
  }

  for (const deed of [503, 'reset'] as const) {
    test(`there is one attempt, met with ${deed}`, async () => {
      const { port, target, id } = await startSession({}, deed);
      const answer = await sendGet(port, target.url, inSession(id));
      expect(answer.status).toBe(deed === 'reset' ? 502 : 503);
      expect(target.arrivals).toHaveLength(2);
    });

    test(`there are more if the client asks, met with ${deed}, all through the same IP`, async () => {
      const { port, target, id } = await startSession({}, deed, deed);
      const answer = await sendGet(port, target.url, inSession(id) + retries(2));
      expect([answer.status, answer.header('X-Crawlera-Session')]).toEqual([200, id]);
      expect(target.arrivals).toHaveLength(4);
      expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);
      expect((await sendGet(port, target.url, inSession(id))).status).toBe(200);
    });
  }

  test('each of them waits for its slot', async () => {
    const { port, target, id } = await startSession({ delays: { default: '200ms' } }, 503, 503);
    await sendGet(port, target.url, inSession(id) + retries(2));
    const times = target.arrivals.map(({ atMs }) => atMs);
    const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
    expect(gaps).toHaveLength(3);
    for (const gap of gaps) expect(gap).toBeGreaterThan(190);
  });

  test('when all of them are banned, the session is', async () => {
    const { port, url, target, id } = await startSession({}, 403, 403);
    const answer = await sendGet(port, target.url, inSession(id) + retries(1));
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([503, 'banned']);
    expect(answer.header('X-Crawlera-Session')).toBe(id);
    expect(Number(answer.header('Retry-After'))).toBe(600);
    expect((await sendGet(port, target.url, inSession(id))).header('X-Crawlera-Error')).toBe('banned');
    expect(target.arrivals).toHaveLength(3);
    expect(await sessionIds(url)).toEqual([id]);
  });

  const chosen = '7f2c0c7e-62a5-4d5e-9d39-2a2b8c6d5b11';
  for (const [name, headers, password] of [
    ['create', create, ''],
    ['a name', '', 'session-shop'],
    ['an ID of its own', `Zyte-Session-ID: ${chosen}\r\n`, ''],
  ] as const) {
    const more: readonly string[] = name === 'an ID of its own' ? [''] : ['', retries(1)];
    for (const asked of more) {
      for (const deeds of [
        [403, 403],
        ['reset', 'reset'],
        [403, 'reset'],
        ['reset', 403],
      ] as const satisfies readonly (readonly Deed[])[]) {
        test(`a session made by ${name}${asked && ', with retries,'} that meets ${deeds.join(' and ')} is not kept`, async () => {
          const [{ port, url }, target] = [await startGateway({ upstreams: locals(4) }), await startFlaky(...deeds)];
          const answer = await sendGet(port, target.url, headers + asked, password);
          expect([502, 503, 520, 521]).toContain(answer.status);
          expect(answer.header('X-Crawlera-Session')).toBe(
            name === 'an ID of its own' && deeds[0] === 403 ? chosen : undefined,
          );
          expect(await sessionIds(url)).toEqual([]);
        });
      }
    }

    if (name === 'an ID of its own') continue;
    for (const deed of [403, 'reset'] as const) {
      test(`a session made by ${name} that has an answer after ${deed} is kept, and stays where it was`, async () => {
        const [{ port, url }, target] = [await startGateway({ upstreams: locals(4) }), await startFlaky(deed)];
        const answer = await sendGet(port, target.url, headers + retries(1), password);
        expect(answer.status).toBe(200);
        expect(await sessionIds(url)).toEqual([answer.header('X-Crawlera-Session')]);
        expect(new Set(target.arrivals.map(({ fromIp }) => fromIp)).size).toBe(1);
      });
    }
  }

  test('a session that is deleted between two attempts is not made again', async () => {
    const target = await startFlaky(403);
    const { port, url, event } = await startGateway({ delays: { default: '300ms' } });
    const pending = sendGet(port, target.url, create + retries(5));
    const created = await event(({ type }) => type === 'session.created');
    const id = created.type === 'session.created' ? created.sessionId : '';
    await event((seen) => seen.type === 'use.settled' && seen.retried);
    const headers = { authorization: `Basic ${Buffer.from(`${API_KEY}:`).toString('base64')}` };
    await fetch(`${url}/sessions/${id}`, { method: 'DELETE', headers });
    await pending;
    expect(await sessionIds(url)).toEqual([]);
    expect(target.arrivals.length).toBeLessThanOrEqual(2);
  });
});

describe('a request that is between two attempts', () => {
  test('gives its slot back when its client leaves, and leaves no session', async () => {
    const target = await startFlaky(403);
    const { port, url, event, gateway } = await startGateway({ delays: { default: '60s' } });
    const head = `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}${create}${retries(3)}\r\n`;
    const socket = openRaw(port, head);
    await event((seen) => seen.type === 'use.settled' && seen.retried);
    socket.destroy();
    const left = await event((seen) => seen.type === 'use.settled' && !seen.retried);
    expect(left).toMatchObject({ error: 'client_conn_closed', status: undefined });
    expect(await sessionIds(url)).toEqual([]);
    expect(gateway.heldUses).toBe(0);
  });

  test('with a body on its way, too', async () => {
    const target = await startFlaky();
    const upstreams = [await refusingProxy(), { url: 'local://127.0.0.2', country: 'de' }];
    const { port, event } = await startGateway({ upstreams, delays: { default: '60s' } });
    await sendGet(port, target.url, 'X-Crawlera-Region: de\r\n');
    const post = `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}Content-Length: 9\r\n\r\nbegun`;
    const socket = openRaw(port, post);
    await event((seen) => seen.type === 'use.settled' && seen.method === 'POST' && seen.retried);
    socket.destroy();
    await event((seen) => seen.type === 'use.settled' && seen.error === 'client_conn_closed');
  });

  test('is answered when the gateway closes', async () => {
    const target = await startFlaky(403);
    const { port, event, gateway } = await startGateway({ delays: { default: '60s' }, upstreams: locals(1) });
    const pending = sendGet(port, target.url, create + retries(3));
    await event((seen) => seen.type === 'use.settled' && seen.retried);
    await gateway.close();
    expect(await pending).toMatchObject({ status: 503 });
  });
});
