// What the tests of browser crawlers have in common: Chromium, quiet, with a profile of its own and nothing on disk.

import { Configuration, PlaywrightCrawler, PuppeteerCrawler } from 'crawlee';
import type { PlaywrightCrawlingContext, Session } from 'crawlee';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import type { SessionProxyConfiguration } from '../../src/index.js';
import { ANY_CERTIFICATE, CHROMIUM_PATH, QUIET_ARGUMENTS } from '../support/chromium.js';

/** Chromium as root, without calls to its maker. */
const LAUNCH_OPTIONS = { executablePath: CHROMIUM_PATH, args: [...QUIET_ARGUMENTS, ANY_CERTIFICATE] };

/** The libraries that Crawlee drives a browser with. */
export const LIBRARIES = ['Playwright', 'Puppeteer'] as const;
export type Library = (typeof LIBRARIES)[number];

/** The common part of what handlers are given. */
export type BrowserContext = Pick<
  PlaywrightCrawlingContext,
  'request' | 'session' | 'proxyInfo' | 'browserController' | 'crawler'
> & { readonly page: { evaluate(expression: string): Promise<unknown> } };

/** Options that both crawlers take. */
export interface BrowserOptions {
  readonly requestHandler: (context: BrowserContext) => unknown;
  readonly errorHandler?: (context: BrowserContext, error: Error) => void;
  readonly failedRequestHandler?: (context: BrowserContext, error: Error) => void;
  readonly proxyConfiguration?: SessionProxyConfiguration;
  readonly sessionPoolOptions?: object;
  readonly browserPoolOptions?: object;
  readonly launchContext?: object;
  readonly minConcurrency?: number;
  readonly maxConcurrency?: number;
  readonly maxRequestRetries?: number;
  readonly preNavigationHooks?: readonly ((context: BrowserContext) => unknown)[];
}

/** Crawls URLs; resolves when the crawl is over. */
export async function crawlWith(
  library: Library,
  urls: readonly string[],
  options: BrowserOptions,
): Promise<{ readonly finished: number; readonly failed: number }> {
  const Crawler = library === 'Playwright' ? PlaywrightCrawler : PuppeteerCrawler;
  const launcher = library === 'Playwright' ? chromium : puppeteer;
  const { args, ...launchOptions } = LAUNCH_OPTIONS;
  const crawler = new Crawler(
    {
      headless: true,
      maxRequestRetries: 0,
      ...options,
      launchContext: { ...options.launchContext, launcher, launchOptions: { ...launchOptions, args: [...args] } },
    } as object,
    new Configuration({ persistStorage: false, purgeOnStart: true }),
  );
  const { requestsFinished: finished, requestsFailed: failed } = await crawler.run([...urls]);
  return { finished, failed };
}

/** The session of a handler, which there is. */
export function sessionOf({ session }: { readonly session?: Session | undefined }): Session {
  if (session === undefined) throw new Error('The handler was given no session');
  return session;
}
