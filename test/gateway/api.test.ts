import { describe, expect, test } from 'vitest';
import { VERSION } from '../../src/protocol/version.js';
import { API_KEY, OTHER_KEY, startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer, sendGet, sendRaw } from '../support/raw-client.js';

const authorization = (key = API_KEY): string => `Authorization: Basic ${btoa(`${key}:`)}\r\n`;

/** Sends a request to the API as it is written. */
function ask(port: number, line: string, headers = authorization(), body = ''): ReturnType<typeof sendRaw> {
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return sendRaw(port, `${line} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}${length}\r\n${body}`);
}

const JSON_BODY = `${authorization()}Content-Type: application/json\r\n`;

describe("the protocol's session API", () => {
  test('creates a session: a bare ID, and the ID in exact case', async () => {
    const { port } = await startGateway();
    for (const path of ['/sessions', '/sessions/']) {
      const answer = await ask(port, `POST ${path}`);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatch(/^\d{15}$/);
      expect(answer.header('X-Crawlera-Session')).toBe(answer.body);
      expect(answer.header('X-Crawlera-Version')).toBe(VERSION);
      expect(answer.header('content-type')).toMatch(/^text\/plain/);
    }
  });

  test('lists the sessions of the API key, and of no other', async () => {
    const { port } = await startGateway();
    const [one, two] = [(await ask(port, 'POST /sessions')).body, (await ask(port, 'POST /sessions')).body];
    await ask(port, 'POST /sessions', authorization(OTHER_KEY));
    const answer = await ask(port, 'GET /sessions');
    expect(JSON.parse(answer.body)).toEqual({ [one]: '127.0.0.2', [two]: '127.0.0.3' });
    expect(answer.header('content-type')).toMatch(/^application\/json/);
  });

  test('lists nothing as an empty object, and more sessions than a page holds', async () => {
    const { port } = await startGateway();
    expect((await ask(port, 'GET /sessions')).body).toBe('{}');
    const socket = openRaw(port, '');
    for (let index = 0; index < 1001; index += 1) {
      socket.write(`POST /sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization()}\r\n`);
      await readAnswer(socket);
    }
    expect(Object.keys(JSON.parse((await ask(port, 'GET /sessions')).body) as object)).toHaveLength(1001);
  });

  test('deletes a session, once', async () => {
    const { port } = await startGateway();
    const id = (await ask(port, 'POST /sessions')).body;
    expect((await ask(port, `DELETE /sessions/${id}`, authorization(OTHER_KEY))).status).toBe(400);
    const deleted = await ask(port, `DELETE /sessions/${id}`);
    expect([deleted.status, deleted.body]).toEqual([200, '']);
    const again = await ask(port, `DELETE /sessions/${id}`);
    expect([again.status, again.header('X-Crawlera-Error')]).toEqual([400, 'bad_session_id']);
  });

  test('says 401 without the API key, in words a client can read', async () => {
    const { port } = await startGateway();
    for (const headers of ['', authorization('unknown-key'), 'Authorization: Bearer x\r\n']) {
      const answer = await ask(port, 'POST /sessions', headers);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([401, 'bad_auth']);
      expect(answer.header('WWW-Authenticate')).toMatch(/^Basic /);
      expect(answer.body).toContain('API key');
    }
  });

  test('stops at the limit', async () => {
    const { port } = await startGateway({ sessions: { max: 1 } });
    await ask(port, 'POST /sessions');
    const answer = await ask(port, 'POST /sessions');
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([400, 'user_session_limit']);
  });

  test('says 405 with the methods there are, and 404, both with the version', async () => {
    const { port } = await startGateway();
    const wrong = await ask(port, 'PUT /sessions');
    expect([wrong.status, wrong.header('allow')]).toEqual([405, 'GET, POST']);
    const unknown = await ask(port, 'GET /nowhere');
    expect([unknown.status, unknown.header('X-Crawlera-Version')]).toEqual([404, VERSION]);
  });

  test('is reached through the proxy too, under the address of the gateway and no other', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget((_, res) => res.end('the target'))];
    const id = (await ask(port, 'POST /sessions')).body;
    const own = await ask(port, `DELETE http://127.0.0.1:${port}/sessions/${id}`, proxyAuth());
    expect(own.status).toBe(200);
    const foreign = await ask(port, `GET ${target.url}/sessions`, proxyAuth());
    expect(foreign.body).toContain('the target');
    for (const path of ['/sessions/../api/sessions', '/sessions/%2e%2e/healthz', '/sessionsx']) {
      expect((await ask(port, `GET http://127.0.0.1:${port}${path}`, proxyAuth())).status).toBe(523);
    }
    const other = await ask(port, `GET http://localhost:${port}/healthz`, proxyAuth());
    expect([other.status, other.header('X-Crawlera-Error')]).toEqual([523, 'domain_forbidden']);
  });
});

describe('the JSON API', () => {
  test('creates, shows, lists and deletes sessions', async () => {
    const { port } = await startGateway({
      upstreams: [{ url: 'local://127.0.0.2', name: 'first', country: 'us' }, 'local://127.0.0.3'],
    });
    const body = JSON.stringify({ name: 'checkout', country: 'US', pacing: 'gateway', bancheck: false, pin: 'first' });
    const created = await ask(port, 'POST /api/sessions', JSON_BODY, body);
    expect(created.status).toBe(201);
    const session = JSON.parse(created.body) as { id: string };
    expect(session).toMatchObject({
      name: 'checkout',
      upstream: 'first',
      outgoingIp: '127.0.0.2',
      country: 'us',
      uses: 0,
      unbookedUses: 0,
      state: 'active',
      nextUseInMs: 0,
    });
    const again = await ask(port, 'POST /api/sessions', JSON_BODY, JSON.stringify({ name: 'checkout' }));
    expect([again.status, JSON.parse(again.body)]).toEqual([200, session]);
    const shown = await ask(port, `GET /api/sessions/${session.id}`);
    expect(JSON.parse(shown.body)).toEqual(session);
    const list = await ask(port, 'GET /api/sessions');
    expect(JSON.parse(list.body)).toEqual({ sessions: [session], after: null });
    expect((await ask(port, `DELETE /api/sessions/${session.id}`)).status).toBe(204);
    for (const method of ['GET', 'DELETE']) {
      const gone = await ask(port, `${method} /api/sessions/${session.id}`);
      expect(gone.status).toBe(404);
      expect(JSON.parse(gone.body)).toMatchObject({ error: 'bad_session_id' });
    }
  });

  test('pages', async () => {
    const { port } = await startGateway();
    const ids = [];
    for (let index = 0; index < 3; index += 1) ids.push((await ask(port, 'POST /sessions')).body);
    const first = JSON.parse((await ask(port, 'GET /api/sessions?limit=2')).body) as {
      sessions: { id: string }[];
      after: string;
    };
    const second = JSON.parse((await ask(port, `GET /api/sessions?limit=2&after=${first.after}`)).body) as typeof first;
    expect([...first.sessions, ...second.sessions].map(({ id }) => id)).toEqual(ids);
    expect(second.after).toBeNull();
  });

  test('shows the upstreams without credentials', async () => {
    const { port } = await startGateway({ upstreams: ['http://user:secret@127.0.0.1:3128', 'local://127.0.0.2'] });
    const answer = await ask(port, 'GET /api/upstreams');
    expect(answer.body).not.toContain('secret');
    expect(JSON.parse(answer.body)).toMatchObject({
      upstreams: [{ sessions: 0 }, { name: '127.0.0.2', outgoingIp: '127.0.0.2', country: null, sessions: 0 }],
      delays: { defaultMs: 0, scope: 'ip', maxHoldMs: 900_000 },
    });
  });

  for (const [name, body, word] of [
    ['no JSON', '{', 'not JSON'],
    ['no object', '[]', 'expected object'],
    ['an unknown member', '{"nme":"x"}', 'nme'],
    ['a name of digits', '{"name":"123"}', 'digits'],
    ['a name with a space', '{"name":"a b"}', 'name'],
    ['a country of three letters', '{"country":"usa"}', 'two letters'],
    ['an unknown pacing', '{"pacing":"mine"}', 'pacing'],
    ['an unknown pin', '{"pin":"nowhere"}', 'nowhere'],
  ] as const) {
    test(`a body with ${name} is 400 bad_request that says so`, async () => {
      const { port } = await startGateway();
      const answer = await ask(port, 'POST /api/sessions', JSON_BODY, body);
      expect([answer.status, (JSON.parse(answer.body) as { error: string }).error]).toEqual([400, 'bad_request']);
      expect((JSON.parse(answer.body) as { message: string }).message).toContain(word);
    });
  }

  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=x', 'limit=-1']) {
    test(`${query} is 400 bad_request`, async () => {
      const { port } = await startGateway();
      expect((await ask(port, `GET /api/sessions?${query}`)).status).toBe(400);
    });
  }

  test('a body that is not declared JSON is 415, a large one 413', async () => {
    const { port } = await startGateway();
    expect((await ask(port, 'POST /api/sessions', authorization(), '{}')).status).toBe(415);
    const large = await ask(port, 'POST /api/sessions', JSON_BODY, JSON.stringify({ name: 'x'.repeat(65 * 1024) }));
    expect(large.status).toBe(413);
  });

  test('a country without upstream is 503 noslaves', async () => {
    const { port } = await startGateway();
    const answer = await ask(port, 'POST /api/sessions', JSON_BODY, '{"country":"xx"}');
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([503, 'noslaves']);
  });

  test('needs the API key', async () => {
    const { port } = await startGateway();
    for (const path of ['/api/sessions', '/api/sessions/1', '/api/upstreams']) {
      const answer = await ask(port, `GET ${path}`, '');
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([401, { error: 'bad_auth' }]);
    }
  });
});

describe('the probes', () => {
  test('answer without the API key', async () => {
    const { port } = await startGateway();
    for (const path of ['/healthz', '/readyz']) expect((await ask(port, `GET ${path}`, '')).status).toBe(200);
  });
});

describe('pages of other sites', () => {
  for (const [name, headers, status] of [
    ['a cross-site request', 'Sec-Fetch-Site: cross-site\r\n', 403],
    ['a same-site request', 'Sec-Fetch-Site: same-site\r\n', 403],
    ['one of the address bar', 'Sec-Fetch-Site: none\r\n', 200],
    ['one of its own page', 'Sec-Fetch-Site: same-origin\r\n', 200],
    ['a foreign origin', 'Origin: http://evil.example\r\n', 403],
    ['no origin at all, such as of a file', 'Origin: null\r\n', 403],
  ] as const) {
    test(`${name} gets ${status}, and no CORS fields`, async () => {
      const { port } = await startGateway();
      for (const path of ['/healthz', '/sessions', '/api/sessions']) {
        const answer = await ask(port, `GET ${path}`, authorization() + headers);
        expect(answer.status).toBe(status);
        expect(answer.rawHeaders.filter((field) => field.toLowerCase().startsWith('access-control'))).toEqual([]);
      }
    });
  }

  for (const [host, status] of [
    ['127.0.0.1', 200],
    ['[::1]:1234', 200],
    ['localhost:8011', 200],
    ['rebound.example', 403],
    ['gateway.example:8011', 200],
  ] as const) {
    test(`on a loopback listener, Host ${host} gets ${status}`, async () => {
      const { port } = await startGateway({ publicHosts: ['gateway.example'] });
      const answer = await sendRaw(port, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect(answer.status).toBe(status);
    });
  }
});

describe('GET /stats/', () => {
  test('counts what an API key has asked for, and says nothing of others', async () => {
    const [{ url, port, event }, target] = [await startGateway(), await startTarget()];
    await sendGet(port, target.url);
    await sendGet(port, 'http://127.0.0.1:1/');
    await event((one) => one.type === 'use.settled' && one.status === 502);
    const statsOf = async (key: string): Promise<unknown> => {
      const headers = { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` };
      return (await fetch(`${url}/stats/`, { headers })).json();
    };
    expect(await statsOf(API_KEY)).toMatchObject({ limit: 500, after: '', results: [{ clean: 1, failed: 1 }] });
    expect(await statsOf(OTHER_KEY)).toMatchObject({ results: [] });
    expect((await fetch(`${url}/stats/`)).status).toBe(401);
  });
});
