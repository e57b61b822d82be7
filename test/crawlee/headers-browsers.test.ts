// Transport 'headers' with real browsers: each page and all it loads by its own session, the session on the CONNECT or
// on the plain request, nothing of it at a target, and no certificate accepted but those of the server's CA.

import { Configuration, PlaywrightCrawler, PuppeteerCrawler } from 'crawlee';
import type { PlaywrightCrawlerOptions, PuppeteerCrawlerOptions } from 'crawlee';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { expect, test } from 'vitest';

import type { Gateway, GatewayOptions } from '../../src/gateway/index.js';
import type { SessionProxyConfiguration } from '../../src/index.js';
import { CHROMIUM_PATH, QUIET_ARGUMENTS } from '../support/chromium.js';
import { authorityOf } from '../support/intercepted.js';
import { needsProgram } from '../support/needs.js';
import { configure, listSessions, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';
import type { CrawlTarget } from './crawl-target.js';
import { leaksOf } from './headers-crawl.js';

const LAUNCH = { executablePath: CHROMIUM_PATH, headless: true, args: [...QUIET_ARGUMENTS] };

/** Pages with an image and an XHR, whose paths begin as the page's does. */
function openPages(): Promise<CrawlTarget> {
  return openTarget((path, response) => {
    const [page] = /^\/\d+$/.exec(path) ?? [];
    if (page === undefined) return false;
    // Over https it would be the page's own word inside the tunnel, which counts before that of the CONNECT.
    const fields = "location.protocol === 'http:' ? { 'X-Crawlera-Session': '1' } : {}";
    const script = `fetch('${page}/xhr', { headers: ${fields} }).then(() => { document.title = 'done' })`;
    const html = `<html><body><img src="${page}/image"><script>${script}</script></body></html>`;
    response.setHeader('content-type', 'text/html').end(html);
    return true;
  });
}

async function openTrusted(options: GatewayOptions): Promise<{ readonly gateway: Gateway; readonly ca: string }> {
  const gateway = await openGateway({
    upstreams: localUpstreams(2),
    targets: { allowPrivate: true, insecure: ['*'] },
    ...options,
  });
  return { gateway, ca: await authorityOf(Number(new URL(gateway.url).port)) };
}

function inMemory(): Configuration {
  return new Configuration({ persistStorage: false });
}

/** What every crawler of a test does: notes the session's IP for each page. */
function noting(configuration: SessionProxyConfiguration) {
  const ipOfPage = new Map<string, string | undefined>();
  const note = (url: string, session: { readonly id: string } | undefined): void => {
    ipOfPage.set(new URL(url).pathname, session && configuration.proxySession(session)?.outgoingIp);
  };
  const wrongOf = ({ visits }: CrawlTarget): readonly unknown[] =>
    visits.filter(({ path, fromIp }) => path !== '/favicon.ico' && ipOfPage.get(`/${path.split('/')[1]}`) !== fromIp);
  return { ipOfPage, note, wrongOf };
}

function playwrightOptions(options: PlaywrightCrawlerOptions): PlaywrightCrawlerOptions {
  return {
    minConcurrency: 3,
    maxConcurrency: 3,
    maxRequestRetries: 0,
    launchContext: { launcher: chromium, launchOptions: LAUNCH },
    ...options,
  };
}

needsProgram('/usr/bin/chromium', 'chromium', () => {
  for (const isolation of ['page', 'browser'] as const) {
    test(`Playwright, isolation ${isolation}: each page with all it loads leaves by its own session`, async () => {
      const { gateway, ca } = await openTrusted({ intercept: 'always' });
      const target = await openPages();
      const configuration = configure(gateway.proxyUrl, { transport: 'headers', ca });
      const { ipOfPage, note, wrongOf } = noting(configuration);
      const options = playwrightOptions({
        async requestHandler({ page, request, session }) {
          await page.waitForFunction('document.title === "done"');
          note(request.url, session);
        },
      });
      const crawler = new PlaywrightCrawler(configuration.browserCrawlerOptions(options, { isolation }), inMemory());
      const { requestsFinished } = await crawler.run(mixedUrls(target, 6));
      expect(requestsFinished).toBe(6);
      expect(wrongOf(target)).toEqual([]);
      expect(target.visits.filter(({ path }) => path.endsWith('/xhr'))).toHaveLength(6);
      expect(new Set(ipOfPage.values()).size).toBe(2);
      expect(leaksOf(target)).toEqual([]);
      await configuration.close();
      expect(await listSessions(gateway)).toEqual([]);
    });
  }

  test('Puppeteer: each page with all it loads leaves by its own session', async () => {
    const { gateway, ca } = await openTrusted({ intercept: 'always' });
    const target = await openPages();
    const configuration = configure(gateway.proxyUrl, { transport: 'headers', ca });
    const { note, wrongOf } = noting(configuration);
    const options: PuppeteerCrawlerOptions = {
      minConcurrency: 3,
      maxConcurrency: 3,
      maxRequestRetries: 0,
      launchContext: { launcher: puppeteer, launchOptions: LAUNCH },
      async requestHandler({ page, request, session }) {
        await page.waitForFunction('document.title === "done"');
        note(request.url, session);
      },
    };
    const crawler = new PuppeteerCrawler(configuration.browserCrawlerOptions(options), inMemory());
    const { requestsFinished } = await crawler.run(mixedUrls(target, 6));
    expect(requestsFinished).toBe(6);
    expect(wrongOf(target)).toEqual([]);
    expect(leaksOf(target)).toEqual([]);
  });

  test('without the option ca a browser takes no certificate of the server, and says so', async () => {
    const { gateway } = await openTrusted({ intercept: 'always' });
    const target = await openPages();
    const failures: string[] = [];
    const options = playwrightOptions({
      requestHandler() {},
      failedRequestHandler: (_context, error) => void failures.push(error.message),
    });
    const configuration = configure(gateway.proxyUrl, { transport: 'headers' });
    const crawler = new PlaywrightCrawler(configuration.browserCrawlerOptions(options), inMemory());
    await crawler.run([`${target.https}/1`]);
    expect(failures).toEqual([expect.stringContaining('ERR_CERT_AUTHORITY_INVALID')]);
    expect(target.visits).toEqual([]);
  });

  test("with it a target's own bad certificate in a blind tunnel is still refused", async () => {
    const { gateway, ca } = await openTrusted({ intercept: 'never' });
    const target = await openPages();
    const failures: string[] = [];
    const options = playwrightOptions({
      requestHandler() {},
      failedRequestHandler: (_context, error) => void failures.push(error.message),
    });
    const configuration = configure(gateway.proxyUrl, { transport: 'headers', ca });
    const crawler = new PlaywrightCrawler(configuration.browserCrawlerOptions(options), inMemory());
    await crawler.run([`${target.https}/1`]);
    expect(failures).toEqual([expect.stringContaining('ERR_CERT')]);
    expect(target.visits).toEqual([]);
  });
});
