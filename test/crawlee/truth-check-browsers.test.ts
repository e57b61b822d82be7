// That browsers which share their proxy among sessions are found out page by page: with Crawlee's own default, in which
// the session of a page is not the one it left by. That the preset has no mismatch is in `e2e/truth.test.ts`.

import { Configuration, PlaywrightCrawler, PuppeteerCrawler } from 'crawlee';
import type { PlaywrightCrawlerOptions, PuppeteerCrawlerOptions } from 'crawlee';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';

import { coreOf } from '../../src/crawlee/core.js';
import type { LoadedContext } from '../../src/crawlee/truth-check.js';
import type { SessionProxyConfiguration } from '../../src/index.js';
import { ANY_CERTIFICATE, CHROMIUM_PATH, QUIET_ARGUMENTS } from '../support/chromium.js';
import { needsProgram } from '../support/needs.js';
import { configure, localUpstreams, mixedUrls, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';
import type { AnswerPath } from './crawl-target.js';

const LAUNCH = {
  launchOptions: { executablePath: CHROMIUM_PATH, headless: true, args: [...QUIET_ARGUMENTS, ANY_CERTIFICATE] },
};

const inMemory = (): Configuration => new Configuration({ persistStorage: false, purgeOnStart: true });

/** A page with parts that come by the same session. */
const page: AnswerPath = (path, response) => {
  if (path.startsWith('/part')) return false;
  response.setHeader('content-type', 'text/html');
  response.end(`<p>${path}</p><img src="/part/a"><script>fetch('/part/b')</script><iframe src="/part/c"></iframe>`);
  return true;
};

interface Crawl {
  readonly urls: readonly string[];
  readonly options?: object;
}

const CRAWLERS = {
  async playwright(options: PlaywrightCrawlerOptions, urls: readonly string[]) {
    const launchContext = { ...options.launchContext, launcher: chromium };
    return new PlaywrightCrawler({ ...COMMON, ...options, launchContext }, inMemory()).run([...urls]);
  },
  async puppeteer(options: PuppeteerCrawlerOptions, urls: readonly string[]) {
    return new PuppeteerCrawler({ ...COMMON, ...options }, inMemory()).run([...urls]);
  },
};

const COMMON = { maxRequestRetries: 0, minConcurrency: 3, maxConcurrency: 3, requestHandler: (): void => undefined };

type CrawlerName = keyof typeof CRAWLERS;

/** Crawls, closes the configuration and gives what the check has found. */
async function crawl(name: CrawlerName, configuration: SessionProxyConfiguration, { urls, options = {} }: Crawl) {
  const { requestsFinished: finished } = await CRAWLERS[name](options, urls);
  await configuration.close();
  return { mismatches: configuration.mismatches, finished };
}

needsProgram('/usr/bin/chromium', 'chromium', () => {
  /** What a user has who leaves the preset out, with the check put in by hand. */
  function byHand(configuration: SessionProxyConfiguration, launchContext: object): object {
    const verify = (context: LoadedContext): Promise<void> => coreOf(configuration).truth.verify(context);
    return { proxyConfiguration: configuration, launchContext, postNavigationHooks: [verify] };
  }

  for (const [name, launch, all] of [
    ['playwright', {}, 8],
    ['puppeteer', {}, 6],
    ['playwright', { browserPerProxy: true }, 4],
  ] as const) {
    test(`${name} without the preset, ${JSON.stringify(launch)}: all of ${all}`, async () => {
      const gateway = await openGateway({ upstreams: localUpstreams(3) });
      const configuration = configure(gateway.proxyUrl);
      const target = await openTarget(page);
      const options = byHand(configuration, { ...LAUNCH, ...launch });
      const found = await crawl(name, configuration, { urls: mixedUrls(target, all), options });
      expect(found).toEqual({ mismatches: all, finished: all });
    });
  }
});
