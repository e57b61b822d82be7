// How often the server tries: by default outside sessions only, and never again what may have had an effect.

import type { Check } from '../check.js';
import { expectArrivals, expectRelayed, expectSame, expectStatus, expectThat } from '../expect.js';
import type { Reply } from '../targets/target.js';
import { inSession } from '../world.js';
import { JITTER_MS } from './delays.js';

const banned: Reply = (_req, res) => void res.writeHead(503).end();
const cutOff: Reply = (req) => void req.resume().once('end', () => req.socket.destroy());

export const RETRY_CHECKS: readonly Check[] = [
  {
    id: 'retries.session',
    holds: 'inside sessions nothing is retried by default',
    source: 'sessions.html, §5.3',
    evidence: 'D',
    given: 'a session, and a site that answers 503',
    when: 'the site is fetched in it',
    expected: 'it is asked once',
    needs: ['target', 'sites'],
    run: async (world) => {
      const page = await world.sitePage(banned);
      expectStatus(await world.get(page, inSession(await world.createSession())), 503);
      expectArrivals(page.arrivals, 1);
    },
  },
  {
    id: 'retries.session-header',
    holds: 'X-Crawlera-Max-Retries has requests of sessions retried, too, through their outgoing IP',
    source: 'sessions.html, §5.3',
    evidence: 'D',
    given: 'a session, and a site that answers 503 once and 200 then',
    when: 'the site is fetched in it with Max-Retries: 2',
    expected: 'the answer is 200, and both attempts came from one address',
    needs: ['target', 'sites'],
    run: async (world) => {
      const page = await world.sitePage((_req, res, { number }) => void res.writeHead(number === 1 ? 503 : 200).end());
      const answer = await world.get(page, inSession(await world.createSession()), 'X-Crawlera-Max-Retries: 2');
      expectRelayed(answer);
      expectArrivals(page.arrivals, 2);
      expectSame('the second address', page.arrivals[1]?.fromIp, page.arrivals[0]?.fromIp);
    },
  },
  {
    id: 'retries.session-count',
    holds: 'Max-Retries: 2 means two or three attempts, by either reading of the documents',
    source: 'older documents and one account of smart-proxy-manager.html, §5.3',
    evidence: 'D',
    given: 'a session, and a site that answers 503',
    when: 'the site is fetched in it with Max-Retries: 2',
    expected: 'it is 503, and the site was asked two or three times from one address',
    needs: ['target', 'sites'],
    run: async (world) => {
      const page = await world.sitePage(banned);
      const answer = await world.get(page, inSession(await world.createSession()), 'X-Crawlera-Max-Retries: 2');
      expectStatus(answer, 503);
      const count = page.arrivals.length;
      expectThat(count === 2 || count === 3, `the target was asked ${count} times`);
      expectSame('the number of addresses', new Set(page.arrivals.map(({ fromIp }) => fromIp)).size, 1);
    },
  },
  {
    id: 'retries.session-delay',
    holds: 'retries in a session keep the delay of their outgoing IP',
    source: 'sessions.html, §5.3',
    evidence: 'I',
    given: 'a session, and a site that answers 503 once and 200 then',
    when: 'the site is fetched in it with Max-Retries: 2',
    expected: 'the second attempt arrives at least the delay after the first',
    needs: ['target', 'sites', 'delay'],
    takesMs: ({ delayMs }) => 2 * delayMs,
    run: async (world) => {
      const page = await world.sitePage((_req, res, { number }) => void res.writeHead(number === 1 ? 503 : 200).end());
      await world.get(page, inSession(await world.createSession()), 'X-Crawlera-Max-Retries: 2');
      expectArrivals(page.arrivals, 2);
      const gapMs = (page.arrivals[1]?.atMs ?? 0) - (page.arrivals[0]?.atMs ?? 0);
      expectThat(gapMs >= world.delays.delayMs - JITTER_MS, `it came ${Math.round(gapMs)} ms after the first`);
    },
  },
  {
    id: 'retries.none',
    holds: 'Max-Retries: 0 means one attempt',
    source: 'older documents and one account of smart-proxy-manager.html, §5.3',
    evidence: 'D',
    given: 'a site that answers 503',
    when: 'it is fetched without a session and with Max-Retries: 0',
    expected: 'it is asked once',
    needs: ['target', 'sites'],
    run: async (world) => {
      const page = await world.sitePage(banned);
      expectStatus(await world.get(page, 'X-Crawlera-Max-Retries: 0'), 503);
      expectArrivals(page.arrivals, 1);
    },
  },
  {
    id: 'retries.cut-off',
    holds: 'outside sessions a connection that breaks before the answer is retried through another outgoing IP',
    source: 'inferred, §5.3',
    evidence: 'I',
    given: 'a target that breaks the connection of the first request, and answers the next',
    when: 'it is fetched',
    expected: 'the answer is 200',
    needs: ['target', 'two-ips'],
    run: async (world) => {
      const page = world.page((req, res, arrival) => {
        if (arrival.number === 1) cutOff(req, res, arrival);
        else res.end();
      });
      expectRelayed(await world.get(page));
      expectArrivals(page.arrivals, 2);
    },
  },
  {
    id: 'retries.post-cut-off',
    holds: 'a POST that may have arrived is never sent again, not even when asked to',
    source: 'inferred, §5.3',
    evidence: 'I',
    given: 'a target that reads the request and breaks the connection',
    when: 'POST is sent with Max-Retries: 5',
    expected: 'it is 502, and the target was asked once',
    needs: ['target'],
    run: async (world) => {
      const page = world.page(cutOff);
      const fields = ['X-Crawlera-Max-Retries: 5'];
      expectStatus(await world.ask({ method: 'POST', to: page.url, body: 'pay', fields }), 502);
      expectArrivals(page.arrivals, 1);
    },
  },
  {
    id: 'retries.post-banned',
    holds: 'a POST that was answered with a ban is not sent again',
    source: 'inferred, §5.3',
    evidence: 'I',
    given: 'a site that answers 503',
    when: 'POST is sent with Max-Retries: 5',
    expected: 'it is 503, and the site was asked once',
    needs: ['target', 'sites'],
    run: async (world) => {
      const page = await world.sitePage((req, res) => void req.resume().once('end', () => res.writeHead(503).end()));
      const fields = ['X-Crawlera-Max-Retries: 5'];
      expectStatus(await world.ask({ method: 'POST', to: page.url, body: 'pay', fields }), 503);
      expectArrivals(page.arrivals, 1);
    },
  },
];
