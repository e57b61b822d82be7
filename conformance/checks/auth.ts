// Who may use the proxy: Basic credentials whose user is the API key.

import type { Check } from '../check.js';
import { expectArrivals, expectError, expectField, expectRelayed, expectStatus, expectThat } from '../expect.js';
import { proxyAuthorization } from '../wire/proxy-client.js';
import { CREATE, type World } from '../world.js';

const CHALLENGE = /^Basic\s+realm=/i;

const wrongKey = [proxyAuthorization('0123456789abcdef-no-such-key')];

export const AUTH_CHECKS: readonly Check[] = [
  {
    id: 'auth.required',
    holds: 'the proxy answers 407 without Proxy-Authorization',
    source: 'smart-proxy-manager.html, §1',
    evidence: 'D',
    given: 'no credentials',
    when: 'a request and a CONNECT are sent',
    expected: 'both get 407',
    run: async (world) => {
      for (const answer of await askTwice(world, [])) expectStatus(answer, 407);
    },
  },
  {
    id: 'auth.challenge',
    holds: 'a 407 brings a Basic challenge: browsers send credentials only then',
    source: 'zyte-smartproxy-puppeteer, §1, §2.2',
    evidence: 'C',
    given: 'no credentials',
    when: 'a request and a CONNECT are sent',
    expected: 'both answers have Proxy-Authenticate: Basic realm=…',
    run: async (world) => {
      for (const answer of await askTwice(world, [])) expectField(answer, 'Proxy-Authenticate', CHALLENGE);
    },
  },
  {
    id: 'auth.wrong-key',
    holds: 'an unknown key gets 407',
    source: 'troubleshooting/auth.html, §1',
    evidence: 'D',
    given: 'a key that the server does not know',
    when: 'a request and a CONNECT are sent',
    expected: 'both get 407',
    run: async (world) => {
      for (const answer of await askTwice(world, wrongKey)) expectStatus(answer, 407);
    },
  },
  {
    id: 'auth.code',
    holds: 'the code of a 407 is bad_proxy_auth',
    source: 'errors.html, scrapy-zyte-smartproxy, §1',
    evidence: 'D',
    given: 'a key that the server does not know',
    when: 'a request and a CONNECT are sent',
    expected: 'X-Crawlera-Error is bad_proxy_auth',
    run: async (world) => {
      for (const answer of await askTwice(world, wrongKey)) expectError(answer, 407, 'bad_proxy_auth');
    },
  },
  {
    id: 'auth.alphabets',
    holds: 'credentials may be written in either alphabet of base64',
    source: 'scrapy-zyte-smartproxy tests, §1',
    evidence: 'C',
    given: 'credentials whose base64 has one of + and /',
    when: 'they are sent so, and with - and _ instead',
    expected: 'both are accepted',
    needs: ['target'],
    run: async (world) => {
      const line = lineWithBothAlphabets(world.client.address.key);
      const urlSafe = line.replaceAll('+', '-').replaceAll('/', '_');
      for (const credentials of [line, urlSafe]) {
        expectRelayed(await world.ask({ to: world.page().url, credentials: [credentials] }));
      }
    },
  },
  {
    id: 'auth.password',
    holds: 'the password is ignored',
    source: 'clients that send a dummy, §1',
    evidence: 'C',
    given: 'the right key with the password DUMMY',
    when: 'a request is sent',
    expected: 'it is served',
    needs: ['target'],
    run: async (world) => {
      const credentials = [proxyAuthorization(world.client.address.key, 'DUMMY')];
      expectRelayed(await world.ask({ to: world.page().url, credentials }));
    },
  },
  {
    id: 'auth.costs-nothing',
    holds: 'a challenged request costs nothing: clients that wait for the challenge send everything twice',
    source: 'inferred from the history of the documents, §1',
    evidence: 'I',
    given: 'a session',
    when: 'a request without credentials asks for another one',
    expected: 'no session is made, and the target is not asked',
    needs: ['target'],
    run: async (world) => {
      await world.createSession();
      const before = await world.listSessions();
      const page = world.page();
      await world.ask({ to: page.url, credentials: [], fields: [CREATE] });
      const after = await world.listSessions();
      expectThat(after.size === before.size, `there are ${after.size} sessions, and were ${before.size}`);
      expectArrivals(page.arrivals, 0);
    },
  },
];

/** A plain request and a CONNECT. */
async function askTwice(world: World, credentials: readonly string[]) {
  const { url, authority } = world.page();
  return [
    await world.ask({ to: url, credentials }),
    await world.ask({ method: 'CONNECT', to: authority, credentials }),
  ];
}

/** Credentials that differ between the alphabets; the password is ignored, so it may be anything. */
function lineWithBothAlphabets(key: string): string {
  const lines = ['', 'a', 'aa'].map((start) => proxyAuthorization(key, `${start}>>>???`));
  return lines.find((line) => /[+/]/.test(line.slice('Proxy-Authorization: Basic '.length))) ?? (lines[0] as string);
}
