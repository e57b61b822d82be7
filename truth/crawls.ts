// The crawls that are compared: each crawler class as a user writes it, with the plugin and with Crawlee alone. What is
// counted is not known here.

import { BasicCrawler, CheerioCrawler, Configuration, PlaywrightCrawler, PuppeteerCrawler } from 'crawlee';
import type { Request, Session } from 'crawlee';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import type { SessionProxyConfiguration } from '../src/index.js';
import { ANY_CERTIFICATE, QUIET_ARGUMENTS } from '../test/support/chromium.js';
import { PARTS, pathOf, tokenOf } from './target.js';

/** How a crawler gets its proxies. */
export interface Way {
  /** Options that a plain crawler is given: the plugin's presets merged into them, or `proxyConfiguration` alone. */
  merge<O extends object>(preset: PresetName, options: O): O;
  /** What a user writes to have one browser for each session, where the preset does not do it. */
  launchContext(isolation: 'page' | 'browser'): { readonly browserPerProxy?: true };
  /** The proxy that a handler of a BasicCrawler names; undefined where that is the preset's business. */
  proxyUrlOf(session: Session): Promise<string | undefined>;
}

/** The plugin's presets. */
export type PresetName = keyof typeof PRESETS;

/** One crawl, the same for both ways. */
export interface Crawl {
  readonly name: string;
  /** Parts of each page that are loaded beside it. */
  readonly parts: number;
  run(way: Way, task: CrawlTask): Promise<void>;
}

/** What is crawled, and who is told. */
export interface CrawlTask {
  readonly urls: readonly string[];
  readonly sessions: number;
  /** Chromium's file. */
  readonly chromiumPath: string;
  /** A page was loaded with its parts, in the session that Crawlee says. */
  readonly onPage: (token: string, session: Session | undefined) => void;
  /** A page is to be loaded again. */
  readonly onRetry: (token: string) => void;
}

const PRESETS = {
  http: (own: SessionProxyConfiguration) => own.httpCrawlerOptions.bind(own),
  page: (own: SessionProxyConfiguration) => own.browserCrawlerOptions.bind(own),
  browser:
    (own: SessionProxyConfiguration) =>
    <O extends object>(options: O) =>
      own.browserCrawlerOptions(options, { isolation: 'browser' }),
  basic: (own: SessionProxyConfiguration) => own.basicCrawlerOptions.bind(own),
} as const;

/** The way of the plugin. */
export function withPlugin(own: SessionProxyConfiguration): Way {
  return {
    merge: (preset, options) => PRESETS[preset](own)(options),
    launchContext: () => ({}),
    proxyUrlOf: () => Promise.resolve(undefined),
  };
}

/** The rows of the table. */
export const CRAWLS: readonly Crawl[] = [
  { name: 'CheerioCrawler', parts: 1, run: runCheerio },
  { name: 'PlaywrightCrawler', parts: PARTS.length, run: playwright('page') },
  { name: 'PlaywrightCrawler, a browser a session', parts: PARTS.length, run: playwright('browser') },
  { name: 'PuppeteerCrawler', parts: PARTS.length, run: runPuppeteer('page') },
  { name: 'PuppeteerCrawler, a browser a session', parts: PARTS.length, run: runPuppeteer('browser') },
  { name: 'BasicCrawler, sendRequest()', parts: 1, run: runBasic },
];

async function runCheerio(way: Way, task: CrawlTask): Promise<void> {
  const options = way.merge('http', {
    ...commonOptions(task),
    async requestHandler({ request, session, sendRequest }: HandlerContext) {
      await sendRequest({ url: urlOfPart(request, 'xhr') });
      task.onPage(tokenOf(request.url), session);
    },
  });
  await new CheerioCrawler(options, storage()).run([...task.urls]);
}

async function runBasic(way: Way, task: CrawlTask): Promise<void> {
  const options = way.merge('basic', {
    ...commonOptions(task),
    async requestHandler({ request, session, sendRequest }: HandlerContext) {
      const proxyUrl = session && (await way.proxyUrlOf(session));
      const proxy = proxyUrl === undefined ? {} : { proxyUrl };
      await sendRequest(proxy);
      await sendRequest({ ...proxy, url: urlOfPart(request, 'xhr') });
      task.onPage(tokenOf(request.url), session);
    },
  });
  await new BasicCrawler(options, storage()).run([...task.urls]);
}

function playwright(preset: 'page' | 'browser'): Crawl['run'] {
  return async (way, task) => {
    const options = way.merge(preset, {
      ...browserOptions(task),
      launchContext: { launcher: chromium, launchOptions: launchOptions(task), ...way.launchContext(preset) },
    });
    await new PlaywrightCrawler(options, storage()).run([...task.urls]);
  };
}

function runPuppeteer(preset: 'page' | 'browser'): Crawl['run'] {
  return async (way, task) => {
    const options = way.merge(preset, {
      ...browserOptions(task),
      launchContext: { launcher: puppeteer, launchOptions: launchOptions(task), ...way.launchContext(preset) },
    });
    await new PuppeteerCrawler(options, storage()).run([...task.urls]);
  };
}

/** What handlers use of the context of any crawler. */
interface HandlerContext {
  readonly request: Request;
  readonly session?: Session;
  readonly sendRequest: (overrides?: { readonly url?: string; readonly proxyUrl?: string }) => Promise<unknown>;
}

interface BrowserHandlerContext extends HandlerContext {
  readonly page: { evaluate(expression: string): Promise<unknown> };
}

function browserOptions(task: CrawlTask) {
  return {
    ...commonOptions(task),
    headless: true,
    async requestHandler({ request, session, page }: BrowserHandlerContext) {
      await page.evaluate('window.parts');
      task.onPage(tokenOf(request.url), session);
    },
  };
}

function commonOptions({ sessions, onRetry }: CrawlTask) {
  return {
    minConcurrency: 4,
    maxConcurrency: 10,
    // As many as asked for, for the whole crawl.
    sessionPoolOptions: { maxPoolSize: sessions, sessionOptions: { maxUsageCount: 100_000 } },
    errorHandler({ request }: HandlerContext) {
      onRetry(tokenOf(request.url));
    },
  };
}

function launchOptions({ chromiumPath }: CrawlTask) {
  return { executablePath: chromiumPath, args: [...QUIET_ARGUMENTS, ANY_CERTIFICATE] };
}

function urlOfPart({ url }: Request, part: string): string {
  return new URL(pathOf(tokenOf(url), part), url).href;
}

/** Nothing on disk, and nothing in common with another crawl. */
function storage(): Configuration {
  return new Configuration({ persistStorage: false, purgeOnStart: true });
}
