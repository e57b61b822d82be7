// Crawls a quotes site with a PlaywrightCrawler: one browser, two sessions, each page from its own session's outgoing IP.
//
//   npm run example:quotes-playwright     the quotes site beside this file, a gateway in this process
import { SessionProxyConfiguration } from 'crawlee-session-proxy';
import { PlaywrightCrawler } from 'crawlee';
import { chromium } from 'playwright-core';
import { chooseChromium, chooseUpstreams, readArguments, reportFailure } from './quotes-arguments.js';
import { createQuotesSite } from './quotes-site/quotes-site.js';

const site = await createQuotesSite();
const proxyConfiguration = await SessionProxyConfiguration.launch({
  upstreams: chooseUpstreams(readArguments([])),
  delays: { default: '500ms' },
  targets: { allowPrivate: true },
});
let quotes = 0;

const crawler = new PlaywrightCrawler(
  proxyConfiguration.browserCrawlerOptions({
    headless: true,
    launchContext: { launcher: chromium, launchOptions: chooseChromium() },
    sessionPoolOptions: { maxPoolSize: 2 },
    async requestHandler({ page, request, session }) {
      const texts = await page.locator('div.quote span.text').allTextContents();
      quotes += texts.length;
      const bound = session && proxyConfiguration.proxySession(session);
      console.log(`${new URL(request.url).pathname}: ${texts.length} quotes, from ${bound?.outgoingIp}`);
    },
  }),
);

try {
  const urls = Array.from({ length: 10 }, (_, index) => `${site.url}page/${index + 1}/`);
  const { requestsFinished } = await crawler.run(urls);
  await proxyConfiguration.close();
  console.log(`${quotes} quotes, ${requestsFinished} pages, ${proxyConfiguration.mismatches} mismatches`);
} catch (error) {
  reportFailure(error);
} finally {
  await proxyConfiguration.close();
  await site.close();
}
