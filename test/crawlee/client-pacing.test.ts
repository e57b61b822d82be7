import { afterEach, expect, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { configure, createCrawler, localUpstreams, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';
import type { CrawlTarget, Visit } from './crawl-target.js';

const DELAY_MS = 600;

/** Gateway, target and crawler share this process, so what the target measures is a little noisy. */
const NOISE_MS = 150;

/** Requests of each of ten sessions. */
const USES = 20;

/** How often it is looked at what goes on, in milliseconds. */
const LOOK_EVERY_MS = 5;

const timers = new Set<NodeJS.Timeout>();

afterEach(() => {
  for (const timer of timers) clearInterval(timer);
});

/**
 * Times between visits from the same address. The first request of a session is left out: it loads the HTTP client, and
 * opens the first connection, and so comes late.
 */
function gapsOf(visits: readonly Visit[], stalls?: Stalls): readonly number[] {
  const seen = new Map<string, number[]>();
  for (const { fromIp, atMs } of visits) seen.set(fromIp, [...(seen.get(fromIp) ?? []), atMs]);
  return [...seen.values()].flatMap((times) =>
    times.slice(2).map((atMs, index) => {
      const beforeMs = times[index + 1] ?? 0;
      // The one before may have come late by as much as the process stood still on its way.
      return atMs - beforeMs + (stalls?.msBetween(beforeMs - DELAY_MS, beforeMs) ?? 0);
    }),
  );
}

/** A target whose pages take a while, and how many of them are being served. */
async function openSlowTarget(takesMs: number): Promise<CrawlTarget & { readonly open: () => number }> {
  let open = 0;
  const target = await openTarget((_, response) => {
    open += 1;
    setTimeout(() => {
      open -= 1;
      response.setHeader('content-type', 'text/html').end('<p>page</p>');
    }, takesMs);
    return true;
  });
  return { ...target, open: () => open };
}

/** Times in which this process had no processor. */
interface Stalls {
  /** How long it had none, in milliseconds, between two moments. */
  readonly msBetween: (fromMs: number, toMs: number) => number;
}

/** Watches for stalls: what the process does late then is not the plugin's doing, and what it does itself is shorter. */
function watchStalls(): Stalls {
  const found: { readonly atMs: number; readonly lateMs: number }[] = [];
  let lastMs = performance.now();
  const look = (): void => {
    const atMs = performance.now();
    const lateMs = atMs - lastMs - LOOK_EVERY_MS;
    lastMs = atMs;
    if (lateMs > 25) found.push({ atMs, lateMs });
  };
  timers.add(setInterval(look, LOOK_EVERY_MS));
  return {
    msBetween: (fromMs, toMs) =>
      found.reduce((sum, { atMs, lateMs }) => (atMs > fromMs && atMs <= toMs ? sum + lateMs : sum), 0),
  };
}

for (const scheme of ['http', 'https'] as const) {
  test(`over ${scheme}, ten sessions are as fast as the delay allows, and take hardly a slot to wait in`, async () => {
    const gateway = await openGateway({ upstreams: localUpstreams(10), delays: { default: `${DELAY_MS}ms` } });
    const target = await openSlowTarget(150);
    const configuration = configure(gateway.proxyUrl);
    const errors: unknown[] = [];
    const samples: { busy: number; open: number }[] = [];
    const crawler = createCrawler(
      configuration.httpCrawlerOptions({
        maxConcurrency: 20,
        minConcurrency: 20,
        requestHandler: () => undefined,
        failedRequestHandler: (_, error) => void errors.push(error),
      }),
    );
    const stalls = watchStalls();
    const sample = (): void => {
      const busy = crawler.autoscaledPool?.currentConcurrency ?? 0;
      if (target.visits.length > 0) samples.push({ busy, open: target.open() });
    };
    timers.add(setInterval(sample, LOOK_EVERY_MS));
    await crawler.run(Array.from({ length: 10 * USES }, (_, index) => `${target[scheme]}/${index}`));
    expect(errors).toEqual([]);
    expect(target.visits).toHaveLength(10 * USES);
    expect(new Set(target.visits.map(({ fromIp }) => fromIp)).size).toBe(10);
    const tookMs = (target.visits.at(-1)?.atMs ?? 0) - (target.visits[0]?.atMs ?? 0);
    const sum = (of: 'busy' | 'open'): number => samples.reduce((total, one) => total + one[of], 0);
    const stalledMs = stalls.msBetween(0, Infinity);
    // 19 gaps are 11.4 s.
    expect(tookMs).toBeLessThan(USES * DELAY_MS + stalledMs);
    expect(Math.min(...gapsOf(target.visits, stalls))).toBeGreaterThan(DELAY_MS - NOISE_MS);
    // A task that waited in its slot would take four times what its page does. What stands still with the process is busy, too.
    expect(sum('busy') / sum('open')).toBeLessThan(1.5 + stalledMs / 1000);
    const { sessions } = await new SessionsClient(gateway.proxyUrl).list();
    expect(sessions.map(({ unbookedUses }) => unbookedUses)).toEqual(Array.from({ length: 10 }, () => 0));
  }, 60_000);
}

test('slots that nobody used are given back when the run is over', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2), delays: { default: '2s' } });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const crawler = createCrawler(configuration.httpCrawlerOptions({ requestHandler: () => undefined }));
  await crawler.run([1, 2, 3].map((index) => `${target.http}/${index}`));
  const { sessions } = await new SessionsClient(gateway.proxyUrl).list();
  expect(target.visits).toHaveLength(3);
  expect(sessions.map(({ uses }) => uses).reduce((sum, uses) => sum + uses)).toBe(3);
});

test('two crawlers, each with its own sessions on the same outgoing IPs, stay apart together', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2), delays: { default: '500ms' } });
  const target = await openTarget();
  const crawls = ['a', 'b'].map(async (name) => {
    const crawler = createCrawler(configure(gateway.proxyUrl).httpCrawlerOptions({ requestHandler: () => undefined }));
    await crawler.run(Array.from({ length: 8 }, (_, index) => `${target.http}/${name}${index}`));
  });
  await Promise.all(crawls);
  expect(target.visits).toHaveLength(16);
  expect(Math.min(...gapsOf(target.visits))).toBeGreaterThan(500 - NOISE_MS);
});

test('a domain with a delay of its own is asked no faster, and does not slow down another', async () => {
  const gateway = await openGateway({
    upstreams: localUpstreams(1),
    delays: { default: 0, domains: { localhost: '400ms' }, scope: 'ip+domain' },
  });
  const target = await openTarget();
  const slow = target.http.replace('127.0.0.1', 'localhost');
  const crawler = createCrawler(configure(gateway.proxyUrl).httpCrawlerOptions({ requestHandler: () => undefined }));
  await crawler.run([1, 2, 3, 4].flatMap((index) => [`${target.http}/fast${index}`, `${slow}/slow${index}`]));
  const times = target.visits.filter(({ path }) => path.startsWith('/slow')).map(({ atMs }) => atMs);
  expect(target.visits).toHaveLength(8);
  const gaps = times.slice(2).map((atMs, index) => atMs - (times[index + 1] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThan(400 - NOISE_MS);
});

test('a session whose outgoing IP is banned at a site is replaced, and the page is had', async () => {
  const gateway = await openGateway({ upstreams: localUpstreams(2), delays: { default: '100ms' } });
  const target = await openTarget();
  const configuration = configure(gateway.proxyUrl);
  const client = new SessionsClient(gateway.proxyUrl);
  const done: string[] = [];
  const crawler = createCrawler(
    configuration.httpCrawlerOptions({
      maxConcurrency: 1,
      async requestHandler({ request, session }) {
        done.push(request.url);
        const bound = session === undefined ? undefined : configuration.proxySession(session);
        if (done.length === 1) await client.reportVerdict(bound?.id ?? '', { host: '127.0.0.1', verdict: 'banned' });
      },
    }),
  );
  await crawler.run(Array.from({ length: 6 }, (_, index) => `${target.http}/${index}`));
  expect(new Set(done).size).toBe(6);
  const [banned] = target.visits.map(({ fromIp }) => fromIp);
  expect(target.visits.slice(2).map(({ fromIp }) => fromIp)).not.toContain(banned);
}, 30_000);
