// A crawl as a program of its own, for tests that stop it and start it again. Says which page it has had, line by line.

import { CheerioCrawler } from 'crawlee';

import { SessionProxyConfiguration } from '../../src/index.js';
import type { PluginPacing } from '../../src/crawlee/options.js';

/** What the program is told in its first argument, as JSON. */
export interface RestartCrawlOrder {
  readonly proxyUrl: string;
  readonly pacing: PluginPacing;
  readonly urls: readonly string[];
}

/** One record of its dataset. */
export interface RestartCrawlPage {
  readonly url: string;
  readonly crawleeId: string;
  readonly proxySessionId: string;
  readonly outgoingIp: string;
  readonly userData: object;
}

const { proxyUrl, pacing, urls } = JSON.parse(process.argv[2] ?? '{}') as RestartCrawlOrder;
const proxyConfiguration = new SessionProxyConfiguration({ proxyUrl, pacing });
const crawler = new CheerioCrawler(
  proxyConfiguration.httpCrawlerOptions({
    minConcurrency: 4,
    maxConcurrency: 4,
    async requestHandler({ session, request, pushData }) {
      if (session === undefined) throw new Error('no session');
      const bound = proxyConfiguration.proxySession(session);
      await pushData({
        url: request.url,
        crawleeId: session.id,
        proxySessionId: bound?.id,
        outgoingIp: bound?.outgoingIp,
        userData: { ...session.userData },
      });
      session.userData = { seen: true };
      console.log(`had ${request.url}`);
    },
  }),
);
await crawler.run([...urls]);
// As programs end, whether they were interrupted or not.
await proxyConfiguration.close();
