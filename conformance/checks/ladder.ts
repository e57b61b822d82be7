// What happens to those who ask faster than the delay allows: the delay is told, and in the end they are refused. These
// checks queue up requests on one outgoing IP and leave again, so they stand last.

import { type Check, CheckSkip, type Delays } from '../check.js';
import { expectError, expectField, expectNone, expectRelayed, expectStatus, expectThat } from '../expect.js';
import type { Answer } from '../wire/read-answer.js';
import { inSession, type World } from '../world.js';
import { JITTER_MS } from './delays.js';

const NEXT = 'X-Crawlera-Next-Request-In';

/** More requests than this are not sent at a time. */
const MOST_REQUESTS = 500;

/** How much longer than calculated a queue may take, per millisecond of it. */
const DRIFT = 0.05;

const untilSoft = ({ softMs, delayMs }: Delays): number => (1 + DRIFT) * softMs + 4 * delayMs;
const untilHard = ({ hardMs }: Delays): number => hardMs;

export const LADDER_CHECKS: readonly Check[] = [
  {
    id: 'ladder.soft',
    holds: 'from the soft limit on, answers tell the calculated delay',
    source: 'sessions.html, §4.1 T5, T6',
    evidence: 'D',
    given: 'a session with requests waiting up to the soft limit',
    when: 'one more is sent',
    expected: 'its answer has X-Crawlera-Next-Request-In, and those far below the limit have none',
    needs: ['target', 'delay'],
    takesMs: untilSoft,
    run: async (world) => {
      const { first, last } = await climbToSoft(world);
      for (const { answer } of [first, last]) expectRelayed(answer);
      expectField(last.answer, NEXT);
      expectNone(first.answer, NEXT);
    },
  },
  {
    id: 'ladder.seconds',
    holds: 'the delay is told in whole seconds, rounded up: that of the request itself',
    source: 'inferred, §4.4, §12 Q3, Q4',
    evidence: 'I',
    given: 'a session with requests waiting up to the soft limit',
    when: 'one more is sent',
    expected: 'its answer tells the seconds it waited',
    needs: ['target', 'delay'],
    takesMs: untilSoft,
    run: async (world) => {
      const { answer, waitedMs } = (await climbToSoft(world)).last;
      const told = Number(expectField(answer, NEXT, /^\d+$/));
      expectThat(
        Math.abs(told - waitedMs / 1000) <= 1.1 + (DRIFT * waitedMs) / 1000,
        `it tells ${told}, and waited ${waitedMs / 1000} s`,
      );
    },
  },
  {
    id: 'ladder.until-drained',
    holds: 'once the soft limit was reached, each answer tells the delay until none is waiting any more',
    source: 'sessions.html, §4.1 T5, §4.3',
    evidence: 'D',
    given: 'a session whose soft limit was reached, with requests waiting below it',
    when: 'one more is sent while they wait, and another when none does',
    expected: 'the first answer tells the delay, the second does not',
    needs: ['target', 'delay'],
    takesMs: untilSoft,
    run: async (world) => {
      const id = await world.createSession();
      const page = world.page();
      const steps = stepsTo(world.delays.softMs, world.delays) + 3;
      const queue = Array.from({ length: steps }, () => world.start(page, inSession(id)));
      // By then the delay is well below the limit, for all but two have gone out.
      await page.arrived(steps - 2);
      const during = await world.get(page, inSession(id));
      await Promise.all(queue);
      expectField(during, NEXT);
      await world.get(page, inSession(id));
      await pause(world.delays.delayMs);
      expectNone(await world.get(page, inSession(id)), NEXT);
    },
  },
  {
    id: 'ladder.refused',
    holds: 'past the hard limit requests get 503 with the delay in Retry-After',
    source: 'smart-proxy-manager.html, §4.1 T6',
    evidence: 'D',
    given: 'a session with requests waiting up to the hard limit',
    when: 'more are sent',
    expected: 'one is 503 with Retry-After, and the target is not asked for it',
    needs: ['target', 'delay'],
    takesMs: untilHard,
    run: async (world) => {
      const { answer, isAsked } = await overrun(world);
      expectStatus(answer, 503);
      expectField(answer, 'Retry-After');
      expectThat(!isAsked(), 'the target was asked for it', answer);
    },
  },
  {
    id: 'ladder.retry-after',
    holds: 'Retry-After is a number of seconds, never a date',
    source: 'scrapy-zyte-smartproxy, §2.2',
    evidence: 'C',
    given: 'a session with requests waiting up to the hard limit',
    when: 'more are sent',
    expected: 'Retry-After is a number, between the longest hold and the hard limit',
    needs: ['target', 'delay'],
    takesMs: untilHard,
    run: async (world) => {
      const { answer } = await overrun(world);
      const seconds = Number(expectField(answer, 'Retry-After', /^\d+(?:\.\d+)?$/));
      const { holdMs, hardMs, delayMs } = world.delays;
      const isBetween = seconds >= Math.floor((holdMs - delayMs) / 1000) && seconds <= Math.ceil(hardMs / 1000) + 1;
      expectThat(isBetween, `it is ${seconds} s`, answer);
    },
  },
  {
    id: 'ladder.hold',
    holds: 'nobody is held longer than 15 minutes: who would be is refused',
    source: 'sessions.html and inferred, §4.1 T3, §12 Q2',
    evidence: 'I',
    given: 'a session with requests waiting up to the longest hold',
    when: 'one more is sent',
    expected: 'it is refused as serverbusy with whole seconds, without the ID of the session',
    needs: ['target', 'delay'],
    takesMs: untilHard,
    run: async (world) => {
      const { answer, waiting } = await overrun(world);
      expectError(answer, 503, 'serverbusy');
      expectField(answer, 'Retry-After', /^\d+$/);
      expectNone(answer, 'X-Crawlera-Session');
      const most = stepsTo(world.delays.holdMs, world.delays) + 3;
      expectThat(waiting <= most, `${waiting} requests were admitted, and at most ${most} fit into the hold`);
    },
  },
];

/** How many delays there are in a time. */
function stepsTo(limitMs: number, { delayMs }: Delays): number {
  return Math.ceil(limitMs / delayMs);
}

interface Waited {
  readonly answer: Answer;
  /** From sending to the head of the answer: what it was held, and a little. */
  readonly waitedMs: number;
}

/** Sends requests of one session, at a time, until one waits for the soft limit. @throws CheckSkip if none did */
async function climbToSoft(world: World): Promise<{ readonly first: Waited; readonly last: Waited }> {
  const { softMs } = world.delays;
  // A held request starts a little late, and those behind it by as much more: what was waited is above what was told.
  const enoughMs = (1 + DRIFT) * softMs + JITTER_MS;
  const id = await world.createSession();
  const page = world.page();
  const send = async (): Promise<Waited> => {
    const sentAtMs = performance.now();
    const answer = await world.get(page, inSession(id));
    return { answer, waitedMs: answer.atMs - sentAtMs };
  };
  const all = await Promise.all(Array.from({ length: stepsTo(enoughMs, world.delays) + 3 }, send));
  const [first, last] = [all.toSorted(byWait)[0], all.toSorted(byWait).at(-1)];
  // The clock runs while they are being sent; a slow machine falls behind it.
  if (first === undefined || last === undefined || last.waitedMs < enoughMs) {
    throw new CheckSkip(`no request waited as long as ${softMs} ms`);
  }
  return { first, last };
}

function byWait(a: Waited, b: Waited): number {
  return a.waitedMs - b.waitedMs;
}

interface Overrun {
  /** The first refusal. */
  readonly answer: Answer;
  /** Whether the target was asked for what was refused. */
  readonly isAsked: () => boolean;
  /** How many requests waited when it came. */
  readonly waiting: number;
}

/** Sends requests of one session, one after the other, until one is refused. @throws CheckSkip when it takes too many */
async function overrun(world: World): Promise<Overrun> {
  const { hardMs, delayMs } = world.delays;
  const id = await world.createSession();
  const page = world.page();
  // While they are sent, some go out; each delay that passes makes room for one more.
  const most = 2 * stepsTo(hardMs, world.delays) + 10;
  if (delayMs === 0 || most > MOST_REQUESTS) throw new CheckSkip(`needs up to ${most} requests at a time`);
  const refusals: Overrun[] = [];
  for (let number = 0; number < most && refusals.length === 0; number += 1) {
    const url = `${page.url}?${number}`;
    const isAsked = (): boolean => page.arrivals.some((arrival) => url.endsWith(arrival.url));
    const answered = world.start({ ...page, url }, inSession(id)).then((answer) => {
      if (answer.status === 503) refusals.push({ answer, isAsked, waiting: number - page.arrivals.length });
    });
    // A refusal comes at once. An answer on another connection shows that there was time for it.
    await Promise.race([answered.catch(() => undefined), world.listSessions()]);
  }
  const [first] = refusals;
  expectThat(first !== undefined, `none of ${most} requests, one soon after the other, was refused`);
  return first;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
