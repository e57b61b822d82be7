// The /sessions API: bare text and one flat object, as clients put them straight into headers.

import { type Check, CheckSkip } from '../check.js';
import { expectError, expectField, expectRelayed, expectSame, expectStatus, expectThat } from '../expect.js';
import { inSession } from '../world.js';

const BARE_ID = /^[^\s"'{}[\]]+$/;

export const SESSIONS_API_CHECKS: readonly Check[] = [
  {
    id: 'api.create',
    holds: 'POST /sessions makes a session and answers its bare ID: no newline, no quotes, no JSON',
    source: 'sessions.html, §3.1',
    evidence: 'D',
    given: 'the API key',
    when: 'POST /sessions is sent, with and without Content-Length: 0',
    expected: 'it is 200, text/plain, and the body is an ID',
    run: async (world) => {
      for (const sent of [{}, { fields: ['Content-Length: 0'] }]) {
        const answer = await world.api('POST', '/sessions', sent);
        expectStatus(answer, 200);
        expectThat(BARE_ID.test(answer.body), `the body ${JSON.stringify(answer.body)} is no bare ID`, answer);
        expectField(answer, 'Content-Type', /^text\/plain\b/i);
      }
    },
  },
  {
    id: 'api.create-header',
    holds: 'the ID stands in X-Crawlera-Session of the answer, too',
    source: 'a client that reads it there, §3.1',
    evidence: 'C',
    given: 'the API key',
    when: 'POST /sessions is sent',
    expected: 'X-Crawlera-Session is the ID of the body',
    run: async (world) => {
      const answer = await world.api('POST', '/sessions');
      expectSame('X-Crawlera-Session', expectField(answer, 'X-Crawlera-Session'), answer.body);
    },
  },
  {
    id: 'api.create-slash',
    holds: 'POST /sessions/ does the same',
    source: 'a client that sends the slash, §3.1',
    evidence: 'C',
    given: 'the API key',
    when: 'POST /sessions/ is sent',
    expected: 'it is 200 with an ID',
    run: async (world) => {
      const answer = await world.api('POST', '/sessions/');
      expectStatus(answer, 200);
      expectThat(BARE_ID.test(answer.body), 'the body is no bare ID', answer);
    },
  },
  {
    id: 'api.decimal',
    holds: 'IDs are decimal numbers below 2^53, and not counted up',
    source: 'inferred from the examples of sessions.html, §3.1',
    evidence: 'I',
    given: 'the API key',
    when: 'two sessions are made',
    expected: 'both IDs are such numbers, and the second is not the next one',
    run: async (world) => {
      const ids = [await world.createSession(), await world.createSession()];
      for (const id of ids) expectThat(/^\d{1,16}$/.test(id), `${id} is no such number`);
      const step = Math.abs(Number(ids[1]) - Number(ids[0]));
      expectThat(step > 1, `${ids.join(' and ')} can be guessed from one another`);
    },
  },
  {
    id: 'api.list',
    holds: 'GET /sessions lists the sessions as one flat object of ID and outgoing IP',
    source: 'sessions.html, §3.1',
    evidence: 'D',
    given: 'a session',
    when: 'GET /sessions is sent',
    expected: 'it is 200, application/json, and the ID names an IP address',
    run: async (world) => {
      const id = await world.createSession();
      expectField(await world.api('GET', '/sessions'), 'Content-Type', /^application\/json\b/i);
      const ip = (await world.listSessions()).get(id);
      expectThat(ip !== undefined && ip !== '', `the list does not have ${id}, or no outgoing IP for it`);
    },
  },
  {
    id: 'api.list-ip',
    holds: 'the list tells the outgoing IP that answers of the session tell',
    source: 'sessions.html, §3.1, §2.2',
    evidence: 'D',
    given: 'a session',
    when: 'it is used',
    expected: 'X-Crawlera-Slave is the IP of the list, with or without a port',
    needs: ['target'],
    run: async (world) => {
      const id = await world.createSession();
      const answer = await world.get(world.page(), inSession(id));
      expectRelayed(answer);
      const slave = answer.rawHeaders.find((_, index, raw) => raw[index - 1]?.toLowerCase() === 'x-crawlera-slave');
      if (slave === undefined) throw new CheckSkip('the server does not tell outgoing IPs');
      const ip = (await world.listSessions()).get(id);
      expectThat(
        slave === ip || slave.startsWith(`${ip}:`),
        `X-Crawlera-Slave is ${slave}, the list has ${ip}`,
        answer,
      );
    },
  },
  {
    id: 'api.delete',
    holds: 'DELETE /sessions/ID ends a session',
    source: 'sessions.html, zyte-smartproxy-headless-proxy, §3.1',
    evidence: 'D',
    given: 'a session',
    when: 'it is deleted',
    expected: 'the status is below 400, the list has it no more, and its use is bad_session_id',
    run: async (world) => {
      const id = await world.createSession();
      const answer = await world.api('DELETE', `/sessions/${id}`);
      expectThat(answer.status < 400, 'the deletion was refused', answer);
      expectThat(!(await world.listSessions()).has(id), `the list still has ${id}`);
      expectError(await world.get(world.page(), inSession(id)), 400, 'bad_session_id');
    },
  },
  {
    id: 'api.delete-status',
    holds: 'a deletion is answered 200 without a text',
    source: 'inferred, §12 Q10',
    evidence: 'I',
    given: 'a session',
    when: 'it is deleted',
    expected: 'it is 200, and the body is empty',
    run: async (world) => {
      const answer = await world.api('DELETE', `/sessions/${await world.createSession()}`);
      expectStatus(answer, 200);
      expectSame('the body', answer.body, '');
    },
  },
  {
    id: 'api.delete-unknown',
    holds: 'deleting what is no session is bad_session_id',
    source: 'inferred, §3.1',
    evidence: 'I',
    given: 'no session of that ID',
    when: 'it is deleted',
    expected: 'it is 400 bad_session_id',
    run: async (world) => expectError(await world.api('DELETE', '/sessions/1'), 400, 'bad_session_id'),
  },
];
