// Two crawlers in processes of their own, polite together: they share one gateway, which keeps the distance between
// all their requests from one outgoing IP.
//
//   npm run example:processes
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SessionProxyConfiguration } from 'crawlee-session-proxy';
import { Gateway } from 'crawlee-session-proxy/gateway';
import { CheerioCrawler, Configuration } from 'crawlee';
import { createQuotesSite } from './quotes-site/quotes-site.js';

const DELAY_MS = 400;
const [proxyUrl, ...urls] = process.argv.slice(2);
await (proxyUrl === undefined ? startAll() : crawl(proxyUrl));

/** What each process does; the command line tells where the gateway is, and the pages. */
async function crawl(gatewayUrl: string): Promise<void> {
  // The gateway holds each request until its start: however late a process is, it brings no two together.
  await using proxyConfiguration = new SessionProxyConfiguration({ proxyUrl: gatewayUrl, pacing: 'gateway' });
  const options = proxyConfiguration.httpCrawlerOptions({ requestHandler() {} });
  await new CheerioCrawler(options, new Configuration({ persistStorage: false })).run(urls);
}

async function startAll(): Promise<void> {
  const site = await createQuotesSite();
  const gateway = new Gateway({
    port: 0,
    upstreams: ['direct://'],
    delays: { default: `${DELAY_MS}ms` },
    targets: { allowPrivate: true },
  });
  await gateway.listen();
  const pagesOf = (first: number) => [0, 2, 4, 6].map((step) => `${site.url}page/${first + step}/`);
  const crawlers = [1, 2].map((first) => fork(fileURLToPath(import.meta.url), [gateway.proxyUrl, ...pagesOf(first)]));
  const codes = await Promise.all(crawlers.map(async (crawler) => (await once(crawler, 'exit'))[0] as number));
  const gaps = site.visits.slice(1).map(({ atMs }, index) => Math.round(atMs - (site.visits[index]?.atMs ?? 0)));
  console.log(
    `${site.visits.length} pages, ${gaps.join(', ')} ms apart, the least is ${Math.min(...gaps)} ms of ${DELAY_MS}`,
  );
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1;
  await gateway.close();
  await site.close();
}
