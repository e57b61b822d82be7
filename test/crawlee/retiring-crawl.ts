// A crawl as a program of its own, each page of which retires its session, for a test that looks at what is left of them:
// the gateway is in it too, so that its heap is that of both sides. Needs `--expose-gc`.

import { setTimeout } from 'node:timers/promises';

import { CheerioCrawler, Configuration, log } from 'crawlee';

import { SessionsClient } from '../../src/client/index.js';
import { SessionProxyConfiguration } from '../../src/index.js';

/** What the program is told in its first argument, as JSON. */
export interface RetiringCrawlOrder {
  readonly urls: readonly string[];
  /** After how many retirements the heap is measured. */
  readonly measureAfter: readonly number[];
}

/** What it prints in the end, as JSON. */
export interface RetiringCrawlReport {
  readonly requestsFinished: number;
  /** Of requests that were given up. */
  readonly errors: readonly string[];
  /** Gateway sessions whose Crawlee session was retired. */
  readonly retired: number;
  /** Of the gateway, at any measurement, and when the crawl was over. */
  readonly mostSessions: number;
  readonly sessionsLeft: number;
  /** Sessions in Crawlee's pool when the crawl was over. */
  readonly poolSize: number;
  /** In the order of `measureAfter`. */
  readonly heapBytes: readonly number[];
}

const order = JSON.parse(process.argv[2] ?? '{}') as RetiringCrawlOrder;
log.setLevel(log.LEVELS.OFF);

/** The least of several collections: what finalizers free, and sockets that close, goes a turn or more later. */
async function measureHeap(): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 8; round += 1) {
    globalThis.gc?.();
    least = Math.min(least, process.memoryUsage().heapUsed);
    // oxlint-disable-next-line no-await-in-loop
    await setTimeout(10);
  }
  return least;
}

// One way out, for the gateway is not told of a ban where it would leave none.
const proxyConfiguration = await SessionProxyConfiguration.launch({
  upstreams: ['local://127.0.0.2'],
  delays: { default: 0 },
  targets: { allowPrivate: true },
  store: 'memory',
  log: { level: 'silent' },
});
const gateway = new SessionsClient(proxyConfiguration.proxyUrl);
const countSessions = async (): Promise<number> => Object.keys(await gateway.listPlain()).length;

const retired = new Set<string>();
const errors: string[] = [];
const heapBytes: number[] = [];
let mostSessions = 0;
const crawler = new CheerioCrawler(
  proxyConfiguration.httpCrawlerOptions({
    // Nothing else is on its way when the heap is measured, and no session has two pages.
    maxConcurrency: 1,
    sessionPoolOptions: { maxPoolSize: 10 },
    preNavigationHooks: [
      (_context, gotOptions) => {
        // Made up for each session, and most of the work of a page.
        gotOptions.useHeaderGenerator = false;
      },
    ],
    async requestHandler({ session }) {
      if (session === undefined) throw new Error('no session');
      const id = proxyConfiguration.proxySession(session)?.id;
      session.retire();
      if (id === undefined || retired.has(id)) return;
      retired.add(id);
      if (!order.measureAfter.includes(retired.size)) return;
      mostSessions = Math.max(mostSessions, await countSessions());
      heapBytes.push(await measureHeap());
    },
    failedRequestHandler: ({ request }) => void errors.push(...request.errorMessages),
  }),
  new Configuration({ persistStorage: false }),
);
const { requestsFinished } = await crawler.run([...order.urls]);
const report: RetiringCrawlReport = {
  requestsFinished,
  errors,
  retired: retired.size,
  mostSessions,
  sessionsLeft: await countSessions(),
  poolSize: crawler.sessionPool?.getState().sessions.length ?? NaN,
  heapBytes,
};
await proxyConfiguration.close();
console.log(JSON.stringify(report));
