// How browsers are started so that every page leaves by its own session, and nothing leaves beside the proxy: which
// session a browser belongs to, and what the browser itself may connect to. Pages are not known here.

import type { CreateSession, Session } from '@crawlee/core';

import type { Core } from './core.js';
import { ProxySessionError } from './errors.js';
import { leadsTo, readProxySessionId } from './proxy-url.js';

/** How the pages of a browser crawler are kept apart. */
export type Isolation = 'page' | 'browser';

/** What a `preLaunchHooks` entry is handed; the common part of Playwright's and Puppeteer's. */
export interface LaunchContext {
  proxyUrl?: string | undefined;
  readonly launchOptions?: LaunchOptions | undefined;
  readonly browserPlugin: { readonly name: string; readonly library: object };
  extend(fields: Readonly<Record<string, unknown>>): void;
}

interface LaunchOptions {
  args?: string[];
  readonly browser?: unknown;
  readonly product?: unknown;
}

/** What a `postLaunchHooks` entry is handed. */
export interface LaunchedController {
  readonly launchContext: LaunchContext;
}

/**
 * Where a browser's own connections end, with a context for each page: the discard port, where nobody listens. Chromium
 * calls its maker's services as soon as it runs; through a session these would be uses of it, and without a proxy they
 * would leave by this machine's own address. Pages have the proxy of their context.
 */
const NOWHERE = 'http://127.0.0.1:9';

/** Sessions kept at most, oldest first out: more than any pool holds at a time. */
const MAX_SESSIONS = 10_000;

/** Starts the browsers of one crawler. */
export class BrowserLaunch {
  readonly #core: Core;
  readonly #isolation: Isolation;
  readonly #sessions = new Map<string, WeakRef<Session>>();

  constructor(core: Core, isolation: Isolation) {
    this.#core = core;
    this.#isolation = isolation;
  }

  /** Remembers the sessions that a pool makes. */
  watch(createSession: CreateSession): CreateSession {
    return async (pool, options) => {
      const session = await createSession(pool, options);
      this.#sessions.set(session.id, new WeakRef(session));
      this.#core.adopted.giveToBrowsers(session);
      const [oldest] = this.#sessions.keys();
      if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
      return session;
    };
  }

  /**
   * Gives a browser the session whose proxy it was launched with. Crawlee takes another one from its pool, and calls
   * that the session of all pages of this browser.
   *
   * @see https://github.com/apify/crawlee/issues/2725
   * @throws ProxySessionError if there is no such session any more
   */
  prepare(launchContext: LaunchContext): void {
    launchContext.extend({ session: this.#findSession(launchContext.proxyUrl) });
    if (this.#isolation === 'page') launchContext.proxyUrl = NOWHERE;
    closeWaysAroundProxy(launchContext);
  }

  /** Keeps a browser that serves all sessions from being closed with the one that it was launched for. */
  settle({ launchContext }: LaunchedController): void {
    // Crawlee compares the id of each retired session with this one's.
    if (this.#isolation === 'page') launchContext.extend({ session: { id: 'all sessions' } });
  }

  #findSession(proxyUrl: string | undefined): Session {
    const { address, bindings } = this.#core;
    const proxySessionId = leadsTo(address, proxyUrl) ? readProxySessionId(proxyUrl) : undefined;
    const crawleeId = proxySessionId === undefined ? undefined : bindings.findOwner(proxySessionId);
    const session = crawleeId === undefined ? undefined : this.#sessions.get(crawleeId)?.deref();
    if (session !== undefined) return session;
    throw new ProxySessionError('The session of this request ended before its browser was launched', {
      code: 'bad_session_id',
    });
  }
}

/** Loopback targets go through the proxy as any other, and WebRTC, which sends UDP past proxies, sends none. */
function closeWaysAroundProxy({ browserPlugin, launchOptions }: LaunchContext): void {
  if (launchOptions === undefined || !isChromium(browserPlugin.library, launchOptions)) return;
  const args = (launchOptions.args ??= []);
  // The second is what older versions call it; each ignores the other's name.
  for (const name of ['webrtc-ip-handling-policy', 'force-webrtc-ip-handling-policy']) {
    args.push(`--${name}=disable_non_proxied_udp`);
  }
  // Playwright does this by itself.
  if (browserPlugin.name === 'PuppeteerPlugin') args.push('--proxy-bypass-list=<-loopback>');
}

/** Whether a browser is of Chromium's kind. */
export function isChromium(library: object, { browser, product }: LaunchOptions): boolean {
  // Playwright's browser types have a name; Puppeteer is told.
  if ('name' in library && typeof library.name === 'function') return library.name() === 'chromium';
  return (browser ?? product) !== 'firefox';
}
