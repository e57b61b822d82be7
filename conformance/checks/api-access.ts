// Who may use the /sessions API, and under which request lines it is reached.

import type { Check } from '../check.js';
import { expectError, expectField, expectNone, expectRelayed, expectStatus, expectThat } from '../expect.js';
import { proxyAuthorization } from '../wire/proxy-client.js';

const OPERATIONS = [
  ['POST', '/sessions'],
  ['GET', '/sessions'],
  ['DELETE', '/sessions/1'],
] as const;

export const API_ACCESS_CHECKS: readonly Check[] = [
  {
    id: 'api.auth',
    holds: 'the session API is closed without the key',
    source: 'smart-proxy-manager.html, §1',
    evidence: 'D',
    given: 'no credentials',
    when: 'sessions are made, listed and deleted',
    expected: 'each is 401 or 407',
    run: async (world) => {
      for (const [method, path] of OPERATIONS) {
        expectStatus(await world.api(method, path, { credentials: [] }), 401, 407);
      }
    },
  },
  {
    id: 'api.auth-401',
    holds: 'the session API answers 401 with a challenge: fetch can read that one, and not a 407',
    source: 'inferred, §12 Q11',
    evidence: 'I',
    given: 'no credentials',
    when: 'sessions are made, listed and deleted',
    expected: 'each is 401 bad_auth with WWW-Authenticate: Basic',
    run: async (world) => {
      for (const [method, path] of OPERATIONS) {
        const answer = await world.api(method, path, { credentials: [] });
        expectError(answer, 401, 'bad_auth');
        expectField(answer, 'WWW-Authenticate', /^Basic\b/i);
      }
    },
  },
  {
    id: 'api.proxy-authorization',
    holds: 'the session API takes the key as Proxy-Authorization, too',
    source: 'a client that deletes through the proxy, §1',
    evidence: 'C',
    given: 'a session',
    when: 'it is deleted with Proxy-Authorization',
    expected: 'the status is below 400',
    run: async (world) => {
      const credentials = [proxyAuthorization(world.client.address.key)];
      const answer = await world.api('DELETE', `/sessions/${await world.createSession()}`, { credentials });
      expectThat(answer.status < 400, 'the deletion was refused', answer);
    },
  },
  {
    id: 'api.absolute-own',
    holds: 'a URL whose authority is the proxy itself reaches the session API',
    source: 'a client that deletes through the proxy, §1.1',
    evidence: 'C',
    given: 'a session',
    when: 'DELETE http://PROXY/sessions/ID is sent to the proxy',
    expected: 'the status is below 400, and the session is gone',
    run: async (world) => {
      const id = await world.createSession();
      const answer = await world.ask({ method: 'DELETE', to: `http://${world.client.authority}/sessions/${id}` });
      expectThat(answer.status < 400, 'the deletion was refused', answer);
      expectThat(!(await world.listSessions()).has(id), `the list still has ${id}`);
    },
  },
  {
    id: 'api.absolute-other',
    holds: '/sessions of any other authority is a page like others',
    source: 'inferred, §1.1',
    evidence: 'I',
    given: 'a target',
    when: 'GET http://TARGET/sessions is sent to the proxy',
    expected: 'the answer is that of the target',
    needs: ['target'],
    run: async (world) => {
      const answer = await world.ask({ to: `http://${world.page().authority}/sessions` });
      expectRelayed(answer, 410);
    },
  },
  {
    id: 'api.methods',
    holds: 'other methods are 405 with Allow, other paths 404, and neither is an error of the protocol',
    source: 'inferred, §3.1',
    evidence: 'I',
    given: 'the API key',
    when: 'PUT /sessions and GET /no-such-path are sent',
    expected: 'they are 405 with Allow, and 404',
    run: async (world) => {
      const put = await world.api('PUT', '/sessions', { body: '' });
      expectStatus(put, 405);
      expectField(put, 'Allow', /POST/);
      const get = await world.api('GET', '/no-such-path');
      expectStatus(get, 404);
      for (const answer of [put, get]) expectNone(answer, 'X-Crawlera-Error');
    },
  },
];
