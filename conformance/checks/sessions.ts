// Sessions by header: `create`, and IDs that pin the outgoing IP.

import { type Check, CheckFailure } from '../check.js';
import {
  expectArrivals,
  expectError,
  expectField,
  expectNone,
  expectRelayed,
  expectSame,
  expectStatus,
  expectThat,
} from '../expect.js';
import { closedPort } from '../targets/target.js';
import { CREATE, inSession } from '../world.js';

export const SESSION_CHECKS: readonly Check[] = [
  {
    id: 'session.create',
    holds: 'create makes a session, and its ID comes back in the field of the same name',
    source: 'sessions.html, §2.1',
    evidence: 'D',
    given: 'a target',
    when: 'a request carries X-Crawlera-Session: create',
    expected: "the target's answer has an ID, and the list has it",
    needs: ['target'],
    run: async (world) => {
      const answer = await world.get(world.page(), CREATE);
      expectRelayed(answer);
      const id = expectField(answer, 'X-Crawlera-Session', /^\S+$/);
      expectThat((await world.listSessions()).has(id), `the list does not have ${id}`);
    },
  },
  {
    id: 'session.create-any-status',
    holds: "the ID comes with the target's answer whatever its status",
    source: 'the Scrapy sample of sessions.html, §3.3',
    evidence: 'C',
    given: 'targets that answer 301, 404 and 500',
    when: 'requests ask for sessions',
    expected: 'each answer has the status of the target and an ID',
    needs: ['target'],
    run: async (world) => {
      for (const status of [301, 404, 500]) {
        const page = world.page((_req, res) => void res.writeHead(status).end());
        const answer = await world.get(page, CREATE);
        expectRelayed(answer, status);
        expectField(answer, 'X-Crawlera-Session', /^\d+$|^[\w-]{6,}$/);
      }
    },
  },
  {
    id: 'session.create-distinct',
    holds: 'parallel creates make distinct sessions',
    source: "the vendor's Splash script, §3.3",
    evidence: 'C',
    given: 'a target',
    when: 'four requests at a time ask for sessions',
    expected: 'there are four IDs',
    needs: ['target'],
    run: async (world) => {
      const page = world.page();
      const answers = await Promise.all([1, 2, 3, 4].map(() => world.get(page, CREATE)));
      const ids = new Set(answers.map((answer) => expectField(answer, 'X-Crawlera-Session')));
      expectSame('the number of IDs', ids.size, 4);
    },
  },
  {
    id: 'session.create-case',
    holds: 'create is read in any case and with spaces around',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target',
    when: 'requests carry CREATE and create with spaces around',
    expected: 'each answer has an ID that the list has',
    needs: ['target'],
    run: async (world) => {
      for (const value of ['CREATE', '  create\t']) {
        const answer = await world.get(world.page(), `X-Crawlera-Session: ${value}`);
        expectRelayed(answer);
        const id = expectField(answer, 'X-Crawlera-Session');
        world.adopt(id);
        expectThat((await world.listSessions()).has(id), `the list does not have ${id}`);
      }
    },
  },
  {
    id: 'session.create-undone',
    holds: 'a create that ends in an error of the server leaves no session',
    source: 'inferred, §3.4',
    evidence: 'I',
    given: 'a port on which nothing listens',
    when: 'a request to it asks for a session',
    expected: 'the error has no ID, and the list is as before',
    needs: ['target'],
    run: async (world) => {
      const before = (await world.listSessions()).size;
      const port = await closedPort(world.settings.targetHost);
      const answer = await world.ask({ to: `http://${world.settings.targetHost}:${port}/`, fields: [CREATE] });
      expectStatus(answer, 502);
      expectNone(answer, 'X-Crawlera-Session');
      const after = (await world.listSessions()).size;
      expectSame('the number of sessions', after, before);
    },
  },
  {
    id: 'session.pin',
    holds: 'an ID pins the outgoing IP',
    source: 'sessions.html, §2.1',
    evidence: 'D',
    given: 'a session',
    when: 'it is used five times, each on a connection of its own',
    expected: 'the target sees one address',
    needs: ['target'],
    run: async (world) => {
      const id = await world.createSession();
      const page = world.page();
      for (let use = 0; use < 5; use += 1) expectRelayed(await world.get(page, inSession(id)));
      const ips = new Set(page.arrivals.map(({ fromIp }) => fromIp));
      expectThat(ips.size === 1, `the target saw ${[...ips].join(', ')}`);
    },
  },
  {
    id: 'session.pin-each',
    holds: 'the pin belongs to the session, not to the connection',
    source: 'sessions.html, §7',
    evidence: 'D',
    given: 'two sessions on two outgoing IPs',
    when: 'they alternate over one connection to the proxy',
    expected: 'each keeps its own address, and they differ',
    needs: ['target', 'two-ips'],
    run: async (world) => {
      const ids = await world.sessionsOnTwoIps();
      const page = world.page();
      const connection = await world.client.dial();
      for (const id of [...ids, ...ids]) {
        expectRelayed(await world.client.sendOn(connection, { to: page.url, fields: [inSession(id)] }));
      }
      const [a, b, c, d] = page.arrivals.map(({ fromIp }) => fromIp);
      expectThat(a === c && b === d && a !== b, `the target saw ${[a, b, c, d].join(', ')}`);
    },
  },
  {
    id: 'session.echo',
    holds: 'every answer of a session names it',
    source: 'the Scrapy sample of sessions.html, crawlera-session, §2.2',
    evidence: 'C',
    given: 'a session',
    when: 'pages of status 200, 404 and 500 are fetched in it',
    expected: 'each answer has its ID',
    needs: ['target'],
    run: async (world) => {
      const id = await world.createSession();
      for (const status of [200, 404, 500]) {
        const page = world.page((_req, res) => void res.writeHead(status).end());
        const answer = await world.get(page, inSession(id));
        expectRelayed(answer, status);
        expectSame('X-Crawlera-Session', expectField(answer, 'X-Crawlera-Session'), id);
      }
    },
  },
  {
    id: 'session.none',
    holds: 'a request without a session gets no ID',
    source: 'inferred, §2.2',
    evidence: 'I',
    given: 'a target',
    when: 'a request names no session',
    expected: 'its answer names none',
    needs: ['target'],
    run: async (world) => {
      const answer = await world.get(world.page());
      expectRelayed(answer);
      expectNone(answer, 'X-Crawlera-Session');
    },
  },
  {
    id: 'session.unknown',
    holds: 'an incorrect ID is bad_session_id',
    source: 'sessions.html, errors.html, §6',
    evidence: 'D',
    given: 'no session of that ID',
    when: 'a request names it',
    expected: 'it is 400 bad_session_id, and the target is not asked',
    run: async (world) => {
      const page = world.page();
      expectError(await world.get(page, inSession('1')), 400, 'bad_session_id');
      expectArrivals(page.arrivals, 0);
    },
  },
  {
    id: 'session.unknown-echo',
    holds: 'bad_session_id names the session that was sent, so that clients give it up at once',
    source: 'inferred from zyte-smartproxy-headless-proxy, §3.4',
    evidence: 'I',
    given: 'no session of that ID',
    when: 'a request names it',
    expected: 'the answer has the ID',
    run: async (world) => {
      const answer = await world.get(world.page(), inSession('1'));
      expectSame('X-Crawlera-Session', expectField(answer, 'X-Crawlera-Session'), '1');
    },
  },
  {
    id: 'session.malformed',
    holds: 'an ID that is empty, repeated or no ID at all is bad_session_id',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a session',
    when: 'requests carry an empty ID, its ID twice, and words',
    expected: 'each is 400 bad_session_id',
    run: async (world) => {
      const id = await world.createSession();
      const cases = [['X-Crawlera-Session:'], [inSession(id), inSession(id)], [inSession('no such session')]];
      for (const fields of cases) {
        const answer = await world.get(world.page(), ...fields);
        if (answer.status === 200) throw new CheckFailure(`${fields.join(', ')} was served`, answer);
        expectError(answer, 400, 'bad_session_id');
      }
    },
  },
];
