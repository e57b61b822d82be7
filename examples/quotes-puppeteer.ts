// Crawls a quotes site with a PuppeteerCrawler: one session that has a browser of its own, cookies and cache included.
//
//   npm run example:quotes-puppeteer      the quotes site beside this file, a gateway in this process
import { SessionProxyConfiguration } from 'crawlee-session-proxy';
import { PuppeteerCrawler } from 'crawlee';
import puppeteer from 'puppeteer-core';
import { chooseChromium, chooseUpstreams, readArguments, reportFailure } from './quotes-arguments.js';
import { createQuotesSite } from './quotes-site/quotes-site.js';

const site = await createQuotesSite();
const proxyConfiguration = await SessionProxyConfiguration.launch({
  upstreams: chooseUpstreams(readArguments([])),
  delays: { default: '500ms' },
  targets: { allowPrivate: true },
});
let quotes = 0;

const options = {
  headless: true,
  launchContext: { launcher: puppeteer, launchOptions: chooseChromium() },
  sessionPoolOptions: { maxPoolSize: 1 },
};
const crawler = new PuppeteerCrawler({
  ...proxyConfiguration.browserCrawlerOptions(options, { isolation: 'browser' }),
  async requestHandler({ parseWithCheerio, request, session, enqueueLinks }) {
    const $ = await parseWithCheerio();
    quotes += $('div.quote').length;
    const bound = session && proxyConfiguration.proxySession(session);
    console.log(`${new URL(request.url).pathname}: ${$('div.quote').length} quotes, from ${bound?.outgoingIp}`);
    await enqueueLinks({ selector: 'li.next > a' });
  },
});

try {
  const { requestsFinished } = await crawler.run([site.url]);
  await proxyConfiguration.close();
  console.log(`${quotes} quotes, ${requestsFinished} pages, ${proxyConfiguration.mismatches} mismatches`);
} catch (error) {
  reportFailure(error);
} finally {
  await proxyConfiguration.close();
  await site.close();
}
