// Errors of the way to the target, each with its status and code; and the statistics, which count them.

import { type Check, CheckSkip } from '../check.js';
import {
  expectArrivals,
  expectError,
  expectField,
  expectNone,
  expectRelayed,
  expectStatus,
  expectThat,
} from '../expect.js';
import { closedPort } from '../targets/target.js';
import { filling } from '../wire/proxy-client.js';
import { inSession, type World } from '../world.js';

export const ERROR_CHECKS: readonly Check[] = [
  {
    id: 'errors.nxdomain',
    holds: 'a name that is not found is 502 nxdomain',
    source: 'errors.html, §6',
    evidence: 'D',
    given: 'a name in .invalid',
    when: 'it is fetched',
    expected: 'it is 502 nxdomain',
    needs: ['target'],
    run: async (world) => {
      const fields = ['X-Crawlera-Max-Retries: 0'];
      expectError(await world.ask({ to: 'http://conformance-check.invalid/', fields }), 502, 'nxdomain');
    },
  },
  {
    id: 'errors.refused',
    holds: 'a target that refuses connections is 502 econnrefused',
    source: 'errors.html, §6',
    evidence: 'D',
    given: 'a port on which nothing listens',
    when: 'it is fetched',
    expected: 'it is 502 econnrefused',
    needs: ['target'],
    run: async (world) => expectError(await world.ask(await toClosedPort(world)), 502, 'econnrefused'),
  },
  {
    id: 'errors.cut-off',
    holds: 'a target that closes without an answer is 502 socket_closed_remotely or econnreset',
    source: 'errors.html, §6',
    evidence: 'D',
    given: 'a target that closes the connection without an answer',
    when: 'it is fetched',
    expected: 'it is 502 with one of these codes',
    needs: ['target'],
    run: async (world) => {
      const page = world.page((req) => void req.socket.destroy());
      const answer = await world.get(page, 'X-Crawlera-Max-Retries: 0');
      expectError(answer, 502, 'socket_closed_remotely', 'econnreset');
    },
  },
  {
    id: 'errors.no-echo',
    holds: 'such an error does not name the session: clients would delete a healthy one',
    source: 'inferred from zyte-smartproxy-headless-proxy, §3.4',
    evidence: 'I',
    given: 'a session, and a port on which nothing listens',
    when: 'it is fetched in the session, and then a page that is there',
    expected: 'the error has no ID, and the page comes',
    needs: ['target'],
    run: async (world) => {
      const id = await world.createSession();
      const answer = await world.ask({ ...(await toClosedPort(world)), fields: [inSession(id)] });
      expectError(answer, 502, 'econnrefused');
      expectNone(answer, 'X-Crawlera-Session');
      expectRelayed(await world.get(world.page(), inSession(id)));
    },
  },
  {
    id: 'errors.timeout',
    holds: 'a target that does not answer in time is 504 timeout',
    source: 'smart-proxy-manager.html, errors.html, §5.4',
    evidence: 'D',
    given: 'a target that never answers',
    when: 'it is fetched once, with X-Crawlera-Timeout: 30000',
    expected: 'it is 504 timeout after about half a minute',
    needs: ['target'],
    takesMs: () => 31_000,
    run: async (world) => {
      const startedAtMs = performance.now();
      const fields = ['X-Crawlera-Timeout: 30000', 'X-Crawlera-Max-Retries: 0'];
      const answer = await world.get(
        world.page(() => undefined),
        ...fields,
      );
      expectError(answer, 504, 'timeout');
      const tookMs = answer.atMs - startedAtMs;
      expectThat(tookMs > 29_000, `it came after ${Math.round(tookMs)} ms`, answer);
    },
  },
  {
    id: 'errors.forbidden',
    holds: 'a host that may not be crawled is 523 domain_forbidden',
    source: 'errors.html, §6',
    evidence: 'D',
    given: 'a host that the server refuses',
    when: 'it is fetched',
    expected: 'it is 523 domain_forbidden',
    needs: ['forbidden-host'],
    run: async (world) => {
      expectError(await world.ask({ to: `http://${world.settings.forbiddenHost}/` }), 523, 'domain_forbidden');
    },
  },
  {
    id: 'errors.bad-uri',
    holds: 'a URL that is neither http nor https is 401',
    source: 'one account of errors.html, §6',
    evidence: 'S',
    given: 'an ftp URL',
    when: 'it is asked for',
    expected: 'it is 401 with a code',
    run: async (world) => {
      const answer = await world.ask({ to: 'ftp://target.example/' });
      expectStatus(answer, 401);
      expectField(answer, 'X-Crawlera-Error');
    },
  },
  {
    id: 'errors.headers-fit',
    holds: 'header fields may have 100 KiB in all',
    source: 'smart-proxy-manager.html, §1',
    evidence: 'D',
    given: 'header fields of 96 KiB',
    when: 'a request carries them',
    expected: 'it is served, and the target sees them',
    needs: ['target'],
    run: async (world) => {
      const page = world.page();
      expectRelayed(await world.get(page, ...filling(96)));
      expectArrivals(page.arrivals, 1);
    },
  },
  {
    id: 'errors.headers-large',
    holds: 'more header fields are 413',
    source: 'one account of errors.html, §1',
    evidence: 'S',
    given: 'header fields of 110 KiB',
    when: 'a request carries them',
    expected: 'it is 413 with a version and a code',
    needs: ['target'],
    run: async (world) => {
      const answer = await world.get(world.page(), ...filling(110));
      expectStatus(answer, 413);
      expectField(answer, 'X-Crawlera-Version');
      expectField(answer, 'X-Crawlera-Error');
    },
  },
  {
    id: 'stats.shape',
    holds: 'GET /stats/ tells the counts of a time as {limit, after, results}',
    source: 'stats.html, §9; on the same port inferred',
    evidence: 'D',
    given: 'a request that was served',
    when: 'GET /stats/ is sent with the key, and without',
    expected: 'the first is such an object, whose rows have whole numbers, and the second is refused',
    needs: ['target'],
    run: async (world) => {
      expectRelayed(await world.get(world.page()));
      const answer = await world.api('GET', '/stats/?groupby=day&limit=10');
      if (answer.status === 404) throw new CheckSkip('the server has no /stats/ on this port');
      expectStatus(answer, 200);
      const reply = JSON.parse(answer.body) as { limit?: unknown; after?: unknown; results?: unknown };
      expectThat(Number.isInteger(reply.limit) && typeof reply.after === 'string', 'limit or after is wrong', answer);
      expectThat(Array.isArray(reply.results) && reply.results.length > 0, 'there are no results', answer);
      for (const row of reply.results as unknown[]) expectThat(isStatsRow(row), 'a row is wrong', answer);
      expectStatus(await world.api('GET', '/stats/', { credentials: [] }), 401, 407);
    },
  },
];

async function toClosedPort({ settings }: World): Promise<{ readonly to: string }> {
  return { to: `http://${settings.targetHost}:${await closedPort(settings.targetHost)}/` };
}

function isStatsRow(row: unknown): boolean {
  const fields = row as Readonly<Record<string, unknown>>;
  const counts = ['clean', 'failed', 'concurrency', 'total_time', 'traffic'];
  const isTime = typeof fields['time_gte'] === 'string' && !Number.isNaN(Date.parse(fields['time_gte']));
  return isTime && counts.every((name) => Number.isInteger(fields[name]));
}
