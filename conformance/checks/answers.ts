// The fields that answers carry, and the shape of the server's own errors.

import { type Check, CheckSkip } from '../check.js';
import {
  expectError,
  expectField,
  expectNone,
  expectRelayed,
  expectSame,
  expectStatus,
  expectThat,
  namesOf,
  valueOf,
} from '../expect.js';
import { CREATE, inSession, type World } from '../world.js';

export const ANSWER_CHECKS: readonly Check[] = [
  {
    id: 'answers.version',
    holds: 'every relayed answer has X-Crawlera-Version: clients do nothing with one that has none',
    source: 'scrapy-zyte-smartproxy, §2.2',
    evidence: 'C',
    given: 'a target that answers 200 and 404',
    when: 'it is fetched',
    expected: 'both answers have a version',
    needs: ['target'],
    run: async (world) => {
      expectField(await world.get(world.page()), 'X-Crawlera-Version');
      expectField(await world.get(world.page((_req, res) => void res.writeHead(404).end())), 'X-Crawlera-Version');
    },
  },
  {
    id: 'answers.version-errors',
    holds: 'every error has X-Crawlera-Version, too',
    source: 'scrapy-zyte-smartproxy, captured answers, §2.2',
    evidence: 'C',
    given: 'no such session, and no credentials',
    when: 'requests and a CONNECT are sent',
    expected: 'each answer has a version',
    run: async (world) => {
      for (const answer of await ownErrors(world)) expectField(answer, 'X-Crawlera-Version');
    },
  },
  {
    id: 'answers.version-api',
    holds: 'answers of the session API have X-Crawlera-Version',
    source: 'inferred, §2.2, §3.1',
    evidence: 'I',
    given: 'the API key',
    when: 'sessions are made and listed, and an unknown one is deleted',
    expected: 'each answer has a version',
    run: async (world) => {
      expectField(await world.api('POST', '/sessions'), 'X-Crawlera-Version');
      expectField(await world.api('GET', '/sessions'), 'X-Crawlera-Version');
      expectField(await world.api('DELETE', '/sessions/1'), 'X-Crawlera-Version');
    },
  },
  {
    id: 'answers.error-code',
    holds: 'every error of the server has its code in X-Crawlera-Error',
    source: 'errors.html, §2.2',
    evidence: 'D',
    given: 'no such session, and no credentials',
    when: 'requests and a CONNECT are sent',
    expected: 'each answer has a code',
    run: async (world) => {
      for (const answer of await ownErrors(world)) expectField(answer, 'X-Crawlera-Error', /^[a-z_]+$/);
    },
  },
  {
    id: 'answers.error-text',
    holds: 'an error has one line of text',
    source: 'captured answers, §2.2',
    evidence: 'W',
    given: 'no such session',
    when: 'a request names it',
    expected: 'the answer is text/plain in UTF-8 with a text',
    run: async (world) => {
      const answer = await world.get(world.page(), inSession('1'));
      expectField(answer, 'Content-Type', /^text\/plain;\s*charset=utf-8$/i);
      expectThat(/^[^\r\n]+\r?\n?$/.test(answer.body), 'the body is not one line', answer);
    },
  },
  {
    id: 'answers.no-error-relayed',
    holds: 'errors of the target have no X-Crawlera-Error: its presence tells clients that a session is dead',
    source: 'zyte-smartproxy-headless-proxy, §2.2',
    evidence: 'C',
    given: 'a session, and targets that answer 400, 404, 500 and 502',
    when: 'they are fetched in it, and the ban rules are off',
    expected: 'the answers have the status of the target and no code',
    needs: ['target'],
    run: async (world) => {
      const id = await world.createSession();
      for (const status of [400, 404, 500, 502]) {
        const page = world.page((_req, res) => void res.writeHead(status).end());
        expectRelayed(await world.get(page, inSession(id), 'X-Crawlera-No-Bancheck: 1'), status);
      }
    },
  },
  {
    id: 'answers.case',
    holds: 'names stand in their canonical case: browser clients compare them letter by letter',
    source: 'zyte-smartproxy-puppeteer, -playwright, -plugin, §2',
    evidence: 'C',
    given: 'a target, and no such session',
    when: 'a session is made, and an unknown one is named',
    expected: 'the answers have X-Crawlera-Version, X-Crawlera-Session and X-Crawlera-Error so',
    needs: ['target'],
    run: async (world) => {
      const created = await world.get(world.page(), CREATE);
      const failed = await world.get(world.page(), inSession('1'));
      for (const [answer, names] of [
        [created, ['X-Crawlera-Session', 'X-Crawlera-Version']],
        [failed, ['X-Crawlera-Error', 'X-Crawlera-Version']],
      ] as const) {
        for (const name of names) expectThat(namesOf(answer).includes(name), `no name is exactly ${name}`, answer);
      }
    },
  },
  {
    id: 'answers.http-1.1',
    holds: 'answers are HTTP/1.1',
    source: 'zyte-smartproxy-puppeteer, §2',
    evidence: 'C',
    given: 'a target, and no such session',
    when: 'the target is fetched, and the session named',
    expected: 'both answers are HTTP/1.1',
    needs: ['target'],
    run: async (world) => {
      for (const fields of [[], [inSession('1')]]) {
        expectSame('the version', (await world.get(world.page(), ...fields)).httpVersion, '1.1');
      }
    },
  },
  {
    id: 'answers.outgoing-ip',
    holds: 'X-Crawlera-Slave tells the address and port that the request went out from',
    source: 'the FAQ of older documents, captured answers, §2.2',
    evidence: 'D',
    given: 'a target',
    when: 'it is fetched',
    expected: 'the answer has IP or IP:PORT there, and no credentials',
    needs: ['target'],
    run: async (world) => {
      const answer = await world.get(world.page());
      expectRelayed(answer);
      if (valueOf(answer, 'X-Crawlera-Slave') === undefined) throw new CheckSkip('the server does not tell it');
      expectField(answer, 'X-Crawlera-Slave', /^(?:[\d.]+|\[?[\da-f:.]+\]?)(?::\d+)?$/i);
    },
  },
  {
    id: 'answers.strips-target',
    holds: "a target's own X-Crawlera- fields do not reach the client",
    source: 'inferred, §2',
    evidence: 'I',
    given: 'a target that answers with X-Crawlera-Session, X-Crawlera-Error and X-Crawlera-Other',
    when: 'it is fetched',
    expected: 'the answer has none of them',
    needs: ['target'],
    run: async (world) => {
      const page = world.page((_req, res) => {
        res.writeHead(200, { 'X-Crawlera-Session': '7', 'x-crawlera-error': 'banned', 'X-Crawlera-Other': '1' }).end();
      });
      const answer = await world.get(page);
      expectStatus(answer, 200);
      for (const name of ['X-Crawlera-Session', 'X-Crawlera-Error', 'X-Crawlera-Other']) expectNone(answer, name);
    },
  },
];

/** An error of a request, of one without credentials, and of a CONNECT. */
async function ownErrors(world: World) {
  const { url, authority } = world.page();
  const unknown = await world.ask({ to: url, fields: [inSession('1')] });
  expectError(unknown, 400, 'bad_session_id');
  return [
    unknown,
    await world.ask({ to: url, credentials: [] }),
    await world.ask({ method: 'CONNECT', to: authority, credentials: [] }),
  ];
}
