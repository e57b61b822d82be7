// Pages of a browser that are loaded through the gateway: what the gateway itself answers, or a tunnel it refuses, becomes
// the error that Crawlee treats right, and no page of the gateway's reaches a handler. What each answer means is settled
// in `gateway-trip.ts`; which browser it is, is not known here.

import type { BaseHttpResponseData, ProxyInfo, Request, Session } from '@crawlee/core';

import { HEADER } from '../protocol/header-names.js';
import type { Core } from './core.js';
import { wrongApiKey } from './errors.js';
import { travel } from './gateway-trip.js';
import type { Trip } from './gateway-trip.js';
import { leadsTo, readProxySessionId } from './proxy-url.js';

/** What a `preNavigationHooks` entry is handed. */
export interface BrowserContext {
  readonly page: BrowserPage;
  readonly request: Request;
  readonly session?: Session | undefined;
  readonly proxyInfo?: ProxyInfo | undefined;
}

/** The common part of Playwright's and Puppeteer's page. */
export interface BrowserPage {
  goto(url: string, options?: object): Promise<BrowserResponse | null>;
}

/** The common part of their responses. */
interface BrowserResponse {
  url(): string;
  status(): number;
  statusText(): string;
  headers(): Readonly<Record<string, string>>;
  text(): Promise<string>;
}

/**
 * Statuses that the hop before the browser makes itself. Browsers take no password for a proxy from Crawlee, so it puts a
 * proxy-chain server of its own in between.
 *
 * @see https://github.com/apify/proxy-chain/blob/v2.7.1/src/statuses.ts
 */
const HOP_WRONG_KEY = 597;
const HOP_UNREACHED: ReadonlySet<number> = new Set([593, 594]);

/** Watches the pages of one crawler. */
export class BrowserNavigation {
  readonly #core: Core;
  /** Pages that are open, and the Crawlee session that each belongs to. */
  readonly #open = new WeakMap<object, string>();

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Sees to what comes of a page's `goto()`, the crawler's own and a handler's. Crawlee's hooks after the navigation run
   * too late: it has judged a failed one by then, and has retired the session for it.
   */
  enter({ page, request, session, proxyInfo }: BrowserContext): void {
    const core = this.#core;
    if (!leadsTo(core.address, proxyInfo?.url) || this.#open.has(page)) return;
    const proxySessionId = readProxySessionId(proxyInfo.url);
    const crawleeId = session?.id ?? '';
    // Until the page is closed, whose parts go on loading, the gateway session is kept.
    this.#open.set(page, crawleeId);
    core.bindings.enter(crawleeId);
    const goto = page.goto.bind(page);
    page.goto = (url, options) => {
      const trip = { url, request, session, proxySessionId, isNavigation: true };
      return load(core, trip, () => goto(url, options));
    };
  }

  /** The page is about to be closed, loaded or not. */
  leave(page: object): void {
    const crawleeId = this.#open.get(page);
    if (crawleeId === undefined) return;
    this.#open.delete(page);
    this.#core.held.release(crawleeId);
    this.#core.bindings.leave(crawleeId);
  }
}

/**
 * Loads a page.
 *
 * @throws as `travel` does, also for a refused tunnel, of which Crawlee would say that the session is to blame
 */
async function load(
  core: Core,
  trip: Trip,
  goto: () => Promise<BrowserResponse | null>,
): Promise<BrowserResponse | null> {
  let loaded: BrowserResponse | null = null;
  const send = async (): Promise<BaseHttpResponseData> => {
    loaded = await goto();
    const answer = await readAnswer(loaded, trip.url);
    refuseHop(core, answer);
    return answer;
  };
  await travel(core, trip, send);
  return loaded;
}

/** Reads a browser's response as an HTTP client's; its text only where the gateway speaks itself. */
async function readAnswer(
  response: BrowserResponse | null,
  url: string,
): Promise<BaseHttpResponseData & { readonly body: string }> {
  // Some pages have no response: about:blank, or the one that is open already.
  const headers = response?.headers() ?? {};
  const isOwn = headers[HEADER.error.toLowerCase()] !== undefined;
  return {
    url: response?.url() ?? url,
    statusCode: response?.status() ?? 0,
    statusMessage: response?.statusText() ?? '',
    headers: { ...headers },
    trailers: {},
    redirectUrls: [],
    complete: true,
    // The text would only make the message better.
    body: isOwn && response !== null ? await response.text().catch(() => '') : '',
  };
}

/** @throws an Error if the hop answered in place of the gateway, whose answers over http all tell a version */
function refuseHop(core: Core, { url, statusCode, headers }: BaseHttpResponseData): void {
  if (!url.startsWith('http:') || statusCode < 590 || statusCode > 599) return;
  if (headers[HEADER.version.toLowerCase()] !== undefined) return;
  if (statusCode === HOP_WRONG_KEY) throw wrongApiKey(core.address.url);
  const error = new Error(`The connection to the gateway at ${core.address.url} broke off (${statusCode})`);
  throw HOP_UNREACHED.has(statusCode) ? Object.assign(error, { code: 'ECONNREFUSED' }) : error;
}
