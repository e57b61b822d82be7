// The gap between two uses of one outgoing IP. Times are taken at the target: when requests arrive is what counts.

import type { Check } from '../check.js';
import { expectNone, expectRelayed, expectSame, expectThat } from '../expect.js';
import type { Arrival } from '../targets/target.js';
import { inSession, type World } from '../world.js';

/** What the way to the target, and a busy machine, may add to a start or take from it. */
export const JITTER_MS = 50;

export const DELAY_CHECKS: readonly Check[] = [
  {
    id: 'delay.session',
    holds: 'requests of one session start at least the delay apart',
    source: 'sessions.html, §4.1 T1',
    evidence: 'D',
    given: 'a session',
    when: 'four requests are sent at a time',
    expected: 'they arrive at least the delay apart',
    needs: ['target', 'delay'],
    takesMs: ({ delayMs }) => 4 * delayMs,
    run: async (world) => {
      const id = await world.createSession();
      expectApart(await sendTogether(world, [id, id, id, id]), world.delays.delayMs);
    },
  },
  {
    id: 'delay.outgoing-ip',
    holds: 'the delay belongs to the outgoing IP, not to the session',
    source: 'sessions.html, §4.1 T1, §4.2',
    evidence: 'D',
    given: 'two sessions on one outgoing IP',
    when: 'two requests of each are sent at a time',
    expected: 'all four arrive at least the delay apart',
    needs: ['target', 'delay'],
    takesMs: ({ delayMs }) => 4 * delayMs,
    run: async (world) => {
      const [a = '', b = ''] = await world.sessionsOnOneIp();
      expectApart(await sendTogether(world, [a, b, a, b]), world.delays.delayMs);
    },
  },
  {
    id: 'delay.independent',
    holds: 'outgoing IPs do not wait for one another',
    source: 'sessions.html, §4.1 T1',
    evidence: 'D',
    given: 'two sessions on two outgoing IPs, one with three requests waiting',
    when: 'a request of the other is sent',
    expected: 'it arrives before the last of those',
    needs: ['target', 'delay', 'two-ips'],
    takesMs: ({ delayMs }) => 5 * delayMs,
    run: async (world) => {
      const [busy = '', idle = ''] = await world.sessionsOnTwoIps();
      // Both may have been used a moment ago; after one use each, both clocks are known.
      await Promise.all([busy, idle].map((id) => world.get(world.page(), inSession(id))));
      const page = world.page();
      const queue = [1, 2, 3, 4].map(() => world.start(page, inSession(busy)));
      await page.arrived(1);
      const other = world.page();
      await world.get(other, inSession(idle));
      await Promise.all(queue);
      const last = page.arrivals.at(-1)?.atMs ?? 0;
      expectThat((other.arrivals[0]?.atMs ?? Infinity) < last, 'it waited for the other IP');
    },
  },
  {
    id: 'delay.no-session',
    holds: 'requests without a session keep the delay of the IP they go out from',
    source: 'inferred, §4.2',
    evidence: 'I',
    given: 'no session',
    when: 'six requests are sent at a time',
    expected: 'those of one outgoing IP arrive at least the delay apart',
    needs: ['target', 'delay'],
    takesMs: ({ delayMs }) => 6 * delayMs,
    run: async (world) => {
      const page = world.page();
      await Promise.all([1, 2, 3, 4, 5, 6].map(async () => expectRelayed(await world.get(page))));
      for (const ip of new Set(page.arrivals.map(({ fromIp }) => fromIp))) {
        const arrivals = page.arrivals.filter(({ fromIp }) => fromIp === ip);
        expectApart(arrivals, world.delays.delayMs);
      }
    },
  },
  {
    id: 'delay.fifo',
    holds: 'waiting requests go out in the order they came, whether or not the one before has been answered',
    source: 'inferred, §4.3',
    evidence: 'I',
    given: 'a session, and a page that answers after the last request has arrived',
    when: 'four requests are sent one after the other',
    expected: 'they arrive in that order',
    needs: ['target', 'delay'],
    takesMs: ({ delayMs }) => 4 * delayMs,
    run: async (world) => {
      const id = await world.createSession();
      const held: (() => void)[] = [];
      const page = world.page((_req, res) => {
        held.push(() => void res.end());
        if (held.length === 4) for (const end of held) end();
      });
      const answers: Promise<unknown>[] = [];
      for (const number of [0, 1, 2, 3]) {
        answers.push(world.start({ ...page, url: `${page.url}?${number}` }, inSession(id)));
        await settle(world);
      }
      await Promise.all(answers);
      expectSame('the order', page.arrivals.map(({ url }) => url.at(-1)).join(' '), '0 1 2 3');
    },
  },
  {
    id: 'delay.cancelled',
    holds: 'a waiting request whose client leaves gives its place to those behind it',
    source: 'inferred, §4.3',
    evidence: 'I',
    given: 'a session with three requests waiting',
    when: 'the client of the first of them leaves',
    expected: 'its request never arrives, and the third arrives one delay earlier',
    needs: ['target', 'delay'],
    takesMs: ({ delayMs }) => 4 * delayMs,
    run: async (world) => {
      const id = await world.createSession();
      const page = world.page();
      const fields = [inSession(id)];
      // A use that starts now; the ones behind it count from here.
      await world.get(page, ...fields);
      const leaving = await world.client.dial();
      leaving.write(world.client.bytesOf({ to: `${page.url}?left`, fields }));
      await settle(world);
      const rest = [world.start(page, ...fields), world.start(page, ...fields)];
      await settle(world);
      leaving.destroy();
      await Promise.all(rest);
      const [first, , last] = page.arrivals;
      expectThat(!page.arrivals.some(({ url }) => url.endsWith('?left')), 'its request arrived');
      const tookMs = (last?.atMs ?? 0) - (first?.atMs ?? 0);
      const limitMs = 2.75 * world.delays.delayMs;
      expectThat(tookMs < limitMs, `the last came ${Math.round(tookMs)} ms after the first, not below ${limitMs}`);
    },
  },
  {
    id: 'delay.not-told',
    holds: 'below the soft limit no delay is told',
    source: 'sessions.html, §4.1 T5',
    evidence: 'D',
    given: 'a session whose outgoing IP is idle',
    when: 'it is used',
    expected: 'the answer has no X-Crawlera-Next-Request-In',
    needs: ['target', 'delay'],
    takesMs: ({ delayMs }) => 2 * delayMs,
    run: async (world) => {
      const id = await world.createSession();
      await world.get(world.page(), inSession(id));
      expectNone(await world.get(world.page(), inSession(id)), 'X-Crawlera-Next-Request-In');
    },
  },
  {
    id: 'delay.connect',
    holds: 'a CONNECT that names no session is not held: clients give it and TLS 20 s together',
    source: 'zyte-smartproxy-headless-proxy, §4.2',
    evidence: 'C',
    given: 'a session with four requests waiting on each outgoing IP known',
    when: 'a tunnel is opened, with TLS inside',
    expected: 'it is open before they have all arrived',
    needs: ['target', 'https-target', 'delay'],
    takesMs: ({ delayMs }) => 5 * delayMs,
    run: async (world) => {
      const ids = await world.sessionsWhere((made) => (made.length === 4 ? made : undefined));
      const page = world.page();
      const queue = ids.flatMap((id) => [1, 2, 3, 4].map(() => world.start(page, inSession(id))));
      await page.arrived(1);
      await world.secureTunnel(world.securePage(), { ca: undefined });
      const arrived = page.arrivals.length;
      await Promise.all(queue);
      expectThat(arrived < queue.length, 'all waiting requests had gone out before the tunnel was open');
    },
  },
];

/** Sends one request of each session at a time. @returns the arrivals, in their order */
async function sendTogether(world: World, ids: readonly string[]): Promise<readonly Arrival[]> {
  const page = world.page();
  await Promise.all(ids.map(async (id) => expectRelayed(await world.get(page, inSession(id)))));
  return page.arrivals;
}

function expectApart(arrivals: readonly Arrival[], delayMs: number): void {
  const gaps = arrivals.slice(1).map((arrival, index) => arrival.atMs - (arrivals[index]?.atMs ?? 0));
  const tooSmall = gaps.filter((gapMs) => gapMs < delayMs - JITTER_MS);
  const told = gaps.map((gapMs) => `${Math.round(gapMs)} ms`).join(', ');
  expectThat(tooSmall.length === 0, `the gaps are ${told}, and the delay is ${delayMs} ms`);
}

/** Lets the server read what was sent before: an answer on another connection shows that it has had the time. */
async function settle(world: World): Promise<void> {
  await world.listSessions();
}
