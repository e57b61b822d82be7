// Control headers: which values they take, and what they do to the request. Profiles and cookies stand in files of their
// own.

import type { Check } from '../check.js';
import { expectArrivals, expectError, expectField, expectNone, expectRelayed, expectThat, valueOf } from '../expect.js';
import { CREATE, inSession, type World } from '../world.js';

const AGENT = 'User-Agent: conformance-checker/1.0';

export const CONTROL_CHECKS: readonly Check[] = [
  {
    id: 'control.max-retries',
    holds: 'X-Crawlera-Max-Retries takes a whole number from 0 on',
    source: 'inferred, §5.3',
    evidence: 'I',
    given: 'a target',
    when: 'requests carry many, -1 and 1.5, and then 9',
    expected: 'the first are 540 bad_header, the last is served',
    needs: ['target'],
    run: async (world) => {
      await expectRefused(world, 'X-Crawlera-Max-Retries', ['many', '-1', '1.5']);
      expectRelayed(await world.get(world.page(), 'X-Crawlera-Max-Retries: 9'));
    },
  },
  {
    id: 'control.timeout-clamped',
    holds: 'a timeout out of range is clamped, not refused and not taken literally',
    source: 'smart-proxy-manager.html, §2.1',
    evidence: 'D',
    given: 'a target that answers after a fifth of a second',
    when: 'requests carry X-Crawlera-Timeout: 1 and 999999999',
    expected: 'both are served',
    needs: ['target'],
    run: async (world) => {
      for (const value of ['1', '999999999']) {
        const page = world.page((_req, res) => void setTimeout(() => res.end(), 200));
        expectRelayed(await world.get(page, `X-Crawlera-Timeout: ${value}`));
      }
    },
  },
  {
    id: 'control.timeout-word',
    holds: 'a timeout that is no number is refused',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target',
    when: 'a request carries X-Crawlera-Timeout: soon',
    expected: 'it is 540 bad_header, and the target is not asked',
    needs: ['target'],
    run: async (world) => expectRefused(world, 'X-Crawlera-Timeout', ['soon']),
  },
  {
    id: 'control.profile-unknown',
    holds: 'an unknown profile is refused as bad_header',
    source: 'smart-proxy-manager.html, errors.html, §2.1',
    evidence: 'D',
    given: 'a target',
    when: 'a request carries X-Crawlera-Profile: toaster',
    expected: 'it is 540 bad_header, and the target is not asked',
    needs: ['target'],
    run: async (world) => expectRefused(world, 'X-Crawlera-Profile', ['toaster']),
  },
  {
    id: 'control.ua-unknown',
    holds: 'an unknown user agent kind is refused as bad_header',
    source: 'smart-proxy-manager.html, §2.1',
    evidence: 'D',
    given: 'a target',
    when: 'a request carries X-Crawlera-UA: toaster',
    expected: 'it is 540 bad_header, and the target is not asked',
    needs: ['target'],
    run: async (world) => expectRefused(world, 'X-Crawlera-UA', ['toaster']),
  },
  {
    id: 'control.cookies-unknown',
    holds: 'an unknown cookie mode is refused as bad_header',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target',
    when: 'a request carries X-Crawlera-Cookies: eat',
    expected: 'it is 540 bad_header, and the target is not asked',
    needs: ['target'],
    run: async (world) => expectRefused(world, 'X-Crawlera-Cookies', ['eat']),
  },
  {
    id: 'control.bad-header-session',
    holds: 'a refused control header costs no session: the error names none',
    source: 'inferred, §3.4',
    evidence: 'I',
    given: 'a session',
    when: 'a request of it carries a bad profile, and another one none',
    expected: 'the first is 540 without its ID, the second is served with it',
    needs: ['target'],
    run: async (world) => {
      const id = await world.createSession();
      const answer = await world.get(world.page(), inSession(id), 'X-Crawlera-Profile: toaster');
      expectError(answer, 540, 'bad_header');
      expectNone(answer, 'X-Crawlera-Session');
      expectField(await world.get(world.page(), inSession(id)), 'X-Crawlera-Session');
    },
  },
  {
    id: 'control.region-session',
    holds: 'a region and a session do not go together',
    source: 'sessions.html says so, and not what follows, §5.6',
    evidence: 'I',
    given: 'a session',
    when: 'requests carry X-Crawlera-Region with its ID, and with create',
    expected: 'both are 540 bad_header',
    needs: ['target'],
    run: async (world) => {
      for (const session of [inSession(await world.createSession()), CREATE]) {
        expectError(await world.get(world.page(), 'X-Crawlera-Region: us', session), 540, 'bad_header');
      }
    },
  },
  {
    id: 'control.region-none',
    holds: 'a region that no outgoing IP is in ends in noslaves',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'no outgoing IP in Antarctica',
    when: 'a request carries X-Crawlera-Region: AQ',
    expected: 'it is 503 noslaves, and the target is not asked',
    needs: ['target'],
    run: async (world) => {
      const page = world.page();
      expectError(await world.get(page, 'X-Crawlera-Region: AQ'), 503, 'noslaves');
      expectArrivals(page.arrivals, 0);
    },
  },
  {
    id: 'control.debug-time',
    holds: 'X-Crawlera-Debug: request-time makes answers tell the seconds to the head of the answer',
    source: 'older documents, §2.2',
    evidence: 'D',
    given: 'a target that answers after 300 ms',
    when: 'a request asks for the time',
    expected: 'X-Crawlera-Debug-Request-Time is a number of seconds, about 0.3',
    needs: ['target'],
    run: async (world) => {
      const page = world.page((_req, res) => void setTimeout(() => res.end(), 300));
      const answer = await world.get(page, 'X-Crawlera-Debug: request-time');
      const seconds = Number(expectField(answer, 'X-Crawlera-Debug-Request-Time', /^\d+(?:\.\d+)?$/));
      expectThat(seconds >= 0.28 && seconds < 3, `it is ${seconds}`, answer);
    },
  },
  {
    id: 'control.debug-ua',
    holds: 'X-Crawlera-Debug: ua makes answers tell the user agent that was sent',
    source: 'older documents, §2.2',
    evidence: 'D',
    given: 'a target',
    when: 'a request asks for ua and request-time',
    expected: 'X-Crawlera-Debug-UA is what the target saw, and the time is there',
    needs: ['target'],
    run: async (world) => {
      const page = world.page();
      const answer = await world.get(page, AGENT, 'X-Crawlera-Debug: request-time, ua');
      const told = expectField(answer, 'X-Crawlera-Debug-UA');
      const seen = page.arrivals[0] && valueOf(page.arrivals[0], 'User-Agent');
      expectThat(told === seen, `it is ${told}, and the target saw ${seen}`);
      expectField(answer, 'X-Crawlera-Debug-Request-Time');
    },
  },
  {
    id: 'control.debug-unknown',
    holds: 'unknown debug words are ignored, and without the header there are no debug fields',
    source: 'inferred, §2.1',
    evidence: 'I',
    given: 'a target',
    when: 'a request asks for everything, and one for nothing',
    expected: 'both are served without debug fields',
    needs: ['target'],
    run: async (world) => {
      for (const fields of [['X-Crawlera-Debug: everything'], []]) {
        const answer = await world.get(world.page(), ...fields);
        expectRelayed(answer);
        expectNone(answer, 'X-Crawlera-Debug-UA');
        expectNone(answer, 'X-Crawlera-Debug-Request-Time');
      }
    },
  },
  {
    id: 'control.use-https',
    holds: 'X-Crawlera-Use-HTTPS: 1 fetches an http URL over TLS',
    source: 'older documents, §2.1; for a URL with a port inferred',
    evidence: 'I',
    given: 'an https target',
    when: 'its http URL is asked for with the header',
    expected: 'it is asked over TLS',
    needs: ['https-target'],
    run: async (world) => {
      const page = world.securePage();
      const url = page.url.replace(/^https:/, 'http:');
      expectRelayed(await world.ask({ to: url, fields: ['X-Crawlera-Use-HTTPS: 1'] }));
      expectArrivals(page.arrivals, 1);
    },
  },
];

/** @throws CheckFailure unless each value is 540 bad_header, and the target was not asked */
async function expectRefused(world: World, name: string, values: readonly string[]): Promise<void> {
  const page = world.page();
  for (const value of values) expectError(await world.get(page, `${name}: ${value}`), 540, 'bad_header');
  expectArrivals(page.arrivals, 0);
}
