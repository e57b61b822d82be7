// Whose header fields and cookies the target sees: the client's, or those of a browser that the server plays.

import type { Check } from '../check.js';
import { expectRelayed, expectSame, expectThat, valueOf } from '../expect.js';
import { inSession, type World } from '../world.js';

const AGENT = 'conformance-checker/1.0';
const MOBILE = /Mobile|Android|iPhone|iPad/;
const OWN = [`User-Agent: ${AGENT}`, 'Accept-Language: tlh', 'X-Own: 1'];

export const PROFILE_CHECKS: readonly Check[] = [
  {
    id: 'profile.desktop',
    holds: 'a desktop profile replaces the browser fields of the client by those of a browser',
    source: 'smart-proxy-manager.html, next-steps, §2.1',
    evidence: 'D',
    given: 'a client with a User-Agent and an Accept-Language of its own',
    when: 'a request carries X-Crawlera-Profile: desktop',
    expected: 'the target sees others of a desktop browser, and the other fields',
    needs: ['target'],
    run: async (world) => {
      const seen = await seenBy(world, ...OWN, 'X-Crawlera-Profile: desktop');
      const agent = seen('User-Agent') ?? '';
      expectThat(agent.startsWith('Mozilla/') && !MOBILE.test(agent), `User-Agent is ${agent}`);
      expectThat(seen('Accept-Language') !== 'tlh', "Accept-Language is the client's");
      expectSame('X-Own', seen('X-Own'), '1');
    },
  },
  {
    id: 'profile.mobile',
    holds: 'a mobile profile is that of a mobile browser',
    source: 'smart-proxy-manager.html, next-steps, §2.1',
    evidence: 'D',
    given: 'a client with a User-Agent of its own',
    when: 'a request carries X-Crawlera-Profile: mobile',
    expected: 'the target sees that of a mobile browser',
    needs: ['target'],
    run: async (world) => {
      const agent = (await seenBy(world, ...OWN, 'X-Crawlera-Profile: mobile'))('User-Agent') ?? '';
      expectThat(agent.startsWith('Mozilla/') && MOBILE.test(agent), `User-Agent is ${agent}`);
    },
  },
  {
    id: 'profile.pass',
    holds: 'the profile pass keeps all fields of the client',
    source: 'smart-proxy-manager.html, §2.1',
    evidence: 'D',
    given: 'a client with a User-Agent and an Accept-Language of its own',
    when: 'a request carries X-Crawlera-Profile: pass',
    expected: 'the target sees them',
    needs: ['target'],
    run: async (world) => {
      const seen = await seenBy(world, ...OWN, 'X-Crawlera-Profile: pass');
      expectSame('User-Agent', seen('User-Agent'), AGENT);
      expectSame('Accept-Language', seen('Accept-Language'), 'tlh');
    },
  },
  {
    id: 'profile.pass-some',
    holds: 'fields that X-Crawlera-Profile-Pass names survive the profile',
    source: 'older documents, §2.1',
    evidence: 'D',
    given: 'a client with a User-Agent and an Accept-Language of its own',
    when: 'a request asks for a desktop profile and names User-Agent to be passed',
    expected: "the target sees the client's User-Agent, and another Accept-Language",
    needs: ['target'],
    run: async (world) => {
      const fields = ['X-Crawlera-Profile: desktop', 'X-Crawlera-Profile-Pass: user-agent, X-Other'];
      const seen = await seenBy(world, ...OWN, ...fields);
      expectSame('User-Agent', seen('User-Agent'), AGENT);
      expectThat(seen('Accept-Language') !== 'tlh', "Accept-Language is the client's");
    },
  },
  {
    id: 'profile.session',
    holds: 'a session keeps one profile: a new one with each request would defeat it',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a session',
    when: 'it is used three times with a desktop profile',
    expected: 'the target sees one User-Agent',
    needs: ['target'],
    run: async (world) => {
      const session = inSession(await world.createSession());
      const agents = new Set<string | undefined>();
      for (let use = 0; use < 3; use += 1) {
        agents.add((await seenBy(world, ...OWN, session, 'X-Crawlera-Profile: desktop'))('User-Agent'));
      }
      expectSame('the number of user agents', agents.size, 1);
    },
  },
  {
    id: 'profile.ua',
    holds: 'X-Crawlera-UA chooses the User-Agent alone',
    source: 'older documents, §2.1',
    evidence: 'D',
    given: 'a client with a User-Agent and an Accept-Language of its own',
    when: 'requests carry desktop and mobile there',
    expected: 'the target sees browsers of these kinds, and the Accept-Language of the client',
    needs: ['target'],
    run: async (world) => {
      for (const [kind, isMobile] of [
        ['desktop', false],
        ['mobile', true],
      ] as const) {
        const seen = await seenBy(world, ...OWN, `X-Crawlera-UA: ${kind}`);
        const agent = seen('User-Agent') ?? '';
        const looksMobile = MOBILE.test(agent);
        expectThat(agent.startsWith('Mozilla/') && looksMobile === isMobile, `for ${kind} User-Agent is ${agent}`);
        expectSame('Accept-Language', seen('Accept-Language'), 'tlh');
      }
    },
  },
  {
    id: 'profile.ua-pass',
    holds: "X-Crawlera-UA: pass and X-Crawlera-No-UA keep the client's User-Agent",
    source: 'older documents, §2.1',
    evidence: 'D',
    given: 'a client with a User-Agent of its own',
    when: 'requests carry the one and the other',
    expected: 'the target sees it',
    needs: ['target'],
    run: async (world) => {
      for (const field of ['X-Crawlera-UA: pass', 'X-Crawlera-No-UA: 1']) {
        expectSame(`User-Agent with ${field}`, (await seenBy(world, ...OWN, field))('User-Agent'), AGENT);
      }
    },
  },
  {
    id: 'profile.beats-ua',
    holds: 'a profile beats X-Crawlera-UA',
    source: 'smart-proxy-manager.html, §2.1',
    evidence: 'D',
    given: 'a client with a User-Agent of its own',
    when: 'a request carries the profile pass, and desktop as UA',
    expected: "the target sees the client's",
    needs: ['target'],
    run: async (world) => {
      const seen = await seenBy(world, ...OWN, 'X-Crawlera-UA: desktop', 'X-Crawlera-Profile: pass');
      expectSame('User-Agent', seen('User-Agent'), AGENT);
    },
  },
  {
    id: 'cookies.disable',
    holds: 'X-Crawlera-Cookies: disable lets cookies of the client pass, and keeps none',
    source: 'smart-proxy-manager.html, §2.1',
    evidence: 'D',
    given: 'a session, and a target that sets a cookie',
    when: 'it is fetched twice with disable, the second time with a cookie of the client',
    expected: 'the target sees no cookie, then the one of the client alone',
    needs: ['target'],
    run: async (world) => {
      const fields = ['X-Crawlera-Cookies: disable', inSession(await world.createSession())];
      expectSame('the cookie at first', await cookieSeen(world, fields), undefined);
      expectSame('the cookie then', await cookieSeen(world, [...fields, 'Cookie: own=1']), 'own=1');
    },
  },
  {
    id: 'cookies.enable',
    holds: 'X-Crawlera-Cookies: enable keeps cookies for the session; those of the client are dropped',
    source: 'older documents, §2.1',
    evidence: 'D',
    given: 'a session, and a target that sets a cookie',
    when: 'it is fetched twice with enable and a cookie of the client',
    expected: 'the target sees none, then the one it set',
    needs: ['target'],
    run: async (world) => {
      const fields = ['X-Crawlera-Cookies: enable', inSession(await world.createSession()), 'Cookie: own=1'];
      expectSame('the cookie at first', await cookieSeen(world, fields), undefined);
      expectSame('the cookie then', await cookieSeen(world, fields), 'set=1');
    },
  },
  {
    id: 'cookies.discard',
    holds: 'X-Crawlera-Cookies: discard sends no cookies',
    source: 'one account of smart-proxy-manager.html, §2.1',
    evidence: 'S',
    given: 'a session, and a target that sets a cookie',
    when: 'it is fetched twice with discard and a cookie of the client',
    expected: 'the target sees none',
    needs: ['target'],
    run: async (world) => {
      const fields = ['X-Crawlera-Cookies: discard', inSession(await world.createSession()), 'Cookie: own=1'];
      for (let use = 0; use < 2; use += 1) expectSame('the cookie', await cookieSeen(world, fields), undefined);
    },
  },
];

/** Fetches a page. @returns what the target saw of a field */
async function seenBy(world: World, ...fields: readonly string[]): Promise<(name: string) => string | undefined> {
  const page = world.page();
  expectRelayed(await world.get(page, ...fields));
  return (name) => page.arrivals[0] && valueOf(page.arrivals[0], name);
}

async function cookieSeen(world: World, fields: readonly string[]): Promise<string | undefined> {
  const page = world.page((_req, res) => void res.writeHead(200, { 'Set-Cookie': 'set=1; Path=/' }).end());
  expectRelayed(await world.get(page, ...fields));
  return page.arrivals[0] && valueOf(page.arrivals[0], 'Cookie');
}
