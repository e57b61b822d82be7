// What a key has to itself and how much it may have: its sessions, their number, and the requests in flight.

import type { Check } from '../check.js';
import { expectError, expectRelayed, expectStatus, expectThat } from '../expect.js';
import { authorization, proxyAuthorization } from '../wire/proxy-client.js';
import { CREATE, inSession, type World } from '../world.js';

export const LIMIT_CHECKS: readonly Check[] = [
  {
    id: 'keys.list',
    holds: 'a key lists its own sessions only',
    source: 'sessions.html, §3.1',
    evidence: 'D',
    given: 'a session of one key',
    when: 'another key lists its sessions',
    expected: 'the session is not among them',
    needs: ['other-key'],
    run: async (world) => {
      const id = await world.createSession();
      expectThat(!(await world.listSessions(world.settings.otherKey)).has(id), 'the other key sees the session');
    },
  },
  {
    id: 'keys.foreign',
    holds: "another key's ID is bad_session_id, in use and in deletion",
    source: 'inferred, §3.1',
    evidence: 'I',
    given: 'a session of one key',
    when: 'another key uses and deletes it',
    expected: 'both are 400 bad_session_id, and the session still works',
    needs: ['other-key', 'target'],
    run: async (world) => {
      const id = await world.createSession();
      const page = world.page();
      const other = world.settings.otherKey ?? '';
      const used = { to: page.url, credentials: [proxyAuthorization(other)], fields: [inSession(id)] };
      expectError(await world.ask(used), 400, 'bad_session_id');
      const deleted = await world.api('DELETE', `/sessions/${id}`, { credentials: [authorization(other)] });
      expectError(deleted, 400, 'bad_session_id');
      expectRelayed(await world.get(page, inSession(id)));
    },
  },
  {
    id: 'limits.sessions',
    holds: 'one session more than allowed is user_session_limit; a deleted one does not count',
    source: 'sessions.html, errors.html, §5.1',
    evidence: 'D',
    given: 'as many sessions as allowed',
    when: 'one more is made by POST, and one again after a deletion',
    expected: 'the first is 400 user_session_limit without an ID, the second is made',
    needs: ['max-sessions'],
    run: async (world) => {
      const last = await fillSessions(world);
      expectError(await world.api('POST', '/sessions'), 400, 'user_session_limit');
      await world.api('DELETE', `/sessions/${last}`);
      expectStatus(await world.api('POST', '/sessions'), 200);
    },
  },
  {
    id: 'limits.sessions-header',
    holds: 'the limit holds for sessions made by header, too',
    source: 'inferred, §5.1',
    evidence: 'I',
    given: 'as many sessions as allowed',
    when: 'a request asks for one more',
    expected: 'it is 400 user_session_limit',
    needs: ['max-sessions', 'target'],
    run: async (world) => {
      await fillSessions(world);
      expectError(await world.get(world.page(), CREATE), 400, 'user_session_limit');
    },
  },
  {
    id: 'limits.connections',
    holds: 'one request more in flight than allowed is 429 too_many_conns',
    source: 'troubleshooting/concurrency.html, errors.html, §5.5',
    evidence: 'D',
    given: 'as many requests in flight as allowed',
    when: 'one more is sent',
    expected: 'it is 429 too_many_conns at once',
    needs: ['max-connections', 'target'],
    run: async (world) => {
      const limit = world.settings.maxConnections ?? 0;
      const slow = world.page(() => undefined);
      // The page never answers; the end of the check ends them.
      for (let count = 0; count < limit; count += 1) void world.start(slow);
      await slow.arrived(limit);
      expectError(await world.get(world.page()), 429, 'too_many_conns');
    },
  },
];

/** Makes sessions up to the limit. @returns the last one's ID */
async function fillSessions(world: World): Promise<string> {
  const missing = (world.settings.maxSessions ?? 0) - (await world.listSessions()).size;
  let last = '';
  for (let count = 0; count < missing; count += 1) last = await world.createSession();
  expectThat(last !== '', 'there were already as many sessions as --max-sessions tells');
  return last;
}
