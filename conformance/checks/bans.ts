// Bans: answers by which a target refuses an outgoing IP. Each check has a site of its own, for servers remember them.
// Which answers are bans is not documented; 503 is the one that was seen to be.

import type { Check } from '../check.js';
import { expectArrivals, expectError, expectField, expectRelayed, expectSame, expectThat } from '../expect.js';
import type { Reply } from '../targets/target.js';
import { inSession, type World } from '../world.js';

const banned: Reply = (_req, res) => void res.writeHead(503).end('go away');

export const BAN_CHECKS: readonly Check[] = [
  {
    id: 'bans.session',
    holds: 'a ban in a session ends in 503 banned',
    source: 'errors.html, troubleshooting/bans-or-503-response.html, §5.2',
    evidence: 'D',
    given: 'a session, and a site that answers 503',
    when: 'the site is fetched in it',
    expected: 'it is 503 banned, and the page of the site does not come',
    needs: ['target', 'sites'],
    run: async (world) => {
      const { answer } = await banSession(world);
      expectThat(!answer.body.includes('go away'), 'the page of the site came', answer);
    },
  },
  {
    id: 'bans.session-sticky',
    holds: 'a banned session stays so: the site is not asked again',
    source: 'an account of the service, §5.2, §12 Q8',
    evidence: 'W',
    given: 'a session that a site has banned',
    when: 'the site is fetched in it again',
    expected: 'it is 503 banned at once, and the site is not asked',
    needs: ['target', 'sites'],
    run: async (world) => {
      const { page, id } = await banSession(world);
      const before = page.arrivals.length;
      expectError(await world.get(page, inSession(id)), 503, 'banned');
      expectArrivals(page.arrivals, before);
    },
  },
  {
    id: 'bans.session-echo',
    holds: 'banned names the session, so that clients give it up',
    source: 'inferred from zyte-smartproxy-headless-proxy, §3.4',
    evidence: 'I',
    given: 'a session',
    when: 'a site bans it, and the site is fetched again',
    expected: 'both answers have its ID',
    needs: ['target', 'sites'],
    run: async (world) => {
      const { page, id, answer } = await banSession(world);
      expectSame('X-Crawlera-Session', expectField(answer, 'X-Crawlera-Session'), id);
      const again = await world.get(page, inSession(id));
      expectSame('X-Crawlera-Session', expectField(again, 'X-Crawlera-Session'), id);
    },
  },
  {
    id: 'bans.retry-after',
    holds: 'banned has a hint in Retry-After, in seconds',
    source: 'an older article on 503, scrapy-zyte-smartproxy, §5.2',
    evidence: 'D',
    given: 'a session',
    when: 'a site bans it',
    expected: 'Retry-After is a number',
    needs: ['target', 'sites'],
    run: async (world) => {
      const { answer } = await banSession(world);
      expectField(answer, 'Retry-After', /^\d+(?:\.\d+)?$/);
    },
  },
  {
    id: 'bans.session-listed',
    holds: 'a banned session is still listed, and can be deleted',
    source: 'inferred, §5.2',
    evidence: 'I',
    given: 'a session that a site has banned',
    when: 'sessions are listed, and it is deleted',
    expected: 'it is there, and is deleted',
    needs: ['target', 'sites'],
    run: async (world) => {
      const { id } = await banSession(world);
      expectThat((await world.listSessions()).has(id), 'the list does not have it');
      expectSame('the status', (await world.api('DELETE', `/sessions/${id}`)).status, 200);
    },
  },
  {
    id: 'bans.no-bancheck',
    holds: 'X-Crawlera-No-Bancheck, whatever its value, delivers what came',
    source: 'smart-proxy-manager.html, §2.1',
    evidence: 'D',
    given: 'a session, and a site that answers 503',
    when: 'the site is fetched in it with the values 1, 0 and disable',
    expected: 'each answer is that of the site, without a code',
    needs: ['target', 'sites'],
    run: async (world) => {
      const id = await world.createSession();
      const page = await world.sitePage(banned);
      for (const value of ['1', '0', 'disable']) {
        const answer = await world.get(page, inSession(id), `X-Crawlera-No-Bancheck: ${value}`);
        expectRelayed(answer, 503);
        expectSame('the body', answer.body, 'go away');
      }
      expectArrivals(page.arrivals, 3);
    },
  },
  {
    id: 'bans.no-bancheck-session',
    holds: 'what came under No-Bancheck does not ban the session',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a session, and a site that answers 503 once and 200 then',
    when: 'the site is fetched in it with No-Bancheck, and then without',
    expected: 'the second answer is 200',
    needs: ['target', 'sites'],
    run: async (world) => {
      const id = await world.createSession();
      const page = await world.sitePage((_req, res, { number }) => void res.writeHead(number === 1 ? 503 : 200).end());
      expectRelayed(await world.get(page, inSession(id), 'X-Crawlera-No-Bancheck: 1'), 503);
      expectRelayed(await world.get(page, inSession(id)));
    },
  },
  {
    id: 'bans.retried',
    holds: 'outside sessions a ban is retried through another outgoing IP',
    source: 'troubleshooting/bans-or-503-response.html, §5.2',
    evidence: 'D',
    given: 'a site that answers 503 to the first address it sees, and 200 to others',
    when: 'it is fetched',
    expected: 'the answer is 200, from another address',
    needs: ['target', 'sites', 'two-ips'],
    run: async (world) => {
      let first: string | undefined;
      const page = await world.sitePage((_req, res, { fromIp }) => {
        first ??= fromIp;
        res.writeHead(fromIp === first ? 503 : 200).end();
      });
      expectRelayed(await world.get(page));
      expectThat(page.arrivals.at(-1)?.fromIp !== page.arrivals[0]?.fromIp, 'the last attempt came from the same IP');
    },
  },
  {
    id: 'bans.all',
    holds: 'when all attempts end in bans the answer is 503 banned',
    source: 'errors.html, §6',
    evidence: 'D',
    given: 'a site that answers 503 to everybody',
    when: 'it is fetched',
    expected: 'it is 503 banned',
    needs: ['target', 'sites'],
    run: async (world) => expectError(await world.get(await world.sitePage(banned)), 503, 'banned'),
  },
  {
    id: 'bans.other-site',
    holds: 'a ban of one site leaves other sites to the outgoing IP',
    source: 'inferred, §5.2',
    evidence: 'I',
    given: 'a session that a site has banned',
    when: 'another session on the same outgoing IP fetches another site',
    expected: 'it is served',
    needs: ['target', 'sites'],
    run: async (world) => {
      const [a = '', b = ''] = await world.sessionsOnOneIp();
      await world.get(await world.sitePage(banned), inSession(a));
      expectRelayed(await world.get(await world.sitePage(), inSession(b)));
    },
  },
];

/** Has a site ban a new session. @throws CheckFailure unless that ends in 503 banned */
async function banSession(world: World) {
  const id = await world.createSession();
  const page = await world.sitePage(banned);
  const answer = await world.get(page, inSession(id));
  expectError(answer, 503, 'banned');
  return { id, page, answer };
}
