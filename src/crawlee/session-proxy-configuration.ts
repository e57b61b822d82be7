// The plugin as users hold it: Crawlee's proxy configuration, with a gateway session for each Crawlee session. Says what
// users can call; what happens then is decided in the files of its parts, which `create-core.ts` puts together.

import { ProxyConfiguration } from '@crawlee/core';
import type { ProxyInfo, Request, Session } from '@crawlee/core';

import type { GatewayOptions } from '../gateway/gateway-options.js';
import { mergeBasicCrawlerOptions } from './basic-crawler-options.js';
import { mergeBrowserCrawlerOptions } from './browser-crawler-options.js';
import type { BrowserPresetOptions } from './browser-crawler-options.js';
import { registerCore } from './core.js';
import type { Core } from './core.js';
import { createCore, DEFAULT_MAX_HOLD_MS } from './create-core.js';
import { DropInBrowsers } from './drop-in-browsers.js';
import { headersNeedPreset } from './errors.js';
import type { ProxySessionInfo } from './gateway-sessions.js';
import { closeBrowserWay, mergeHeaderBrowserOptions } from './header-browsers.js';
import { HoldWatch } from './hold-watch.js';
import { mergeHttpCrawlerOptions } from './http-crawler-options.js';
import { resolveOptions, splitLaunchOptions } from './options.js';
import type { LaunchedOptions, SessionProxyConfigurationOptions } from './options.js';
import { proxyOfSession } from './proxy-of-session.js';
import { partsOfProxyUrl, writeProxyUrl } from './proxy-url.js';

/** What Crawlee hands over beside the session: in Crawlee 4 alone, in Crawlee 3 after the session's id. */
export interface NewProxyInfoOptions {
  readonly request?: Request;
  readonly proxyTier?: number;
}

/**
 * Options of `SessionProxyConfiguration.launch()`: the gateway's own, and the plugin's but for `proxyUrl`.
 *
 * @example
 * ```ts
 * const options: LaunchOptions = { upstreams: ['socks5://proxy.example:1080'], delays: { default: '5s' } };
 * ```
 */
export type LaunchOptions = GatewayOptions & LaunchedOptions;

/** A gateway that `launch()` started. */
interface LaunchedGateway {
  close(): Promise<void>;
}

/**
 * A proxy configuration that gives every Crawlee session a gateway session of its own, and so one outgoing IP for as
 * long as it lives. The gateway session is made at the first use and ended when the Crawlee session is retired (with
 * `httpCrawlerOptions()`) or at `close()`; at most 5,000 are bound at a time, the least recently used leave first.
 *
 * @example
 * ```ts
 * const proxyConfiguration = new SessionProxyConfiguration({ proxyUrl: 'http://KEY:@127.0.0.1:8011' });
 * const crawler = new CheerioCrawler(proxyConfiguration.httpCrawlerOptions({ requestHandler }));
 * await crawler.run(['https://example.com']);
 * await proxyConfiguration.close();
 * ```
 */
export class SessionProxyConfiguration extends ProxyConfiguration {
  readonly #holdWatch: HoldWatch;
  readonly #dropInBrowsers: DropInBrowsers;
  #core: Core;
  #launched: LaunchedGateway | undefined;
  #closed: Promise<void> | undefined;

  /** @throws TypeError that says which option was wrong and what to write */
  constructor(options: SessionProxyConfigurationOptions) {
    const resolved = resolveOptions(options);
    super();
    this.#core = createCore(resolved);
    this.#dropInBrowsers = new DropInBrowsers(this.#core.log);
    this.#holdWatch = new HoldWatch(this.#core.gateway, this.#core.log);
    registerCore(this, this.#core);
  }

  /**
   * Starts a gateway in this process, on any free port unless `port` says otherwise; `close()` stops it.
   *
   * Ours: with transport `credentials` it looks into no tunnel unless `intercept` says otherwise. The plugin needs nothing
   * of what is inside, and https without a session (`newUrl()` alone) shows the certificates of targets, not the gateway's.
   *
   * @throws ConfigurationError or TypeError for bad options, the system's error if the gateway can't listen
   * @example
   * ```ts
   * await using proxyConfiguration = await SessionProxyConfiguration.launch({
   *   upstreams: ['http://user:pass@proxy-1.example:3128', 'http://user:pass@proxy-2.example:3128'],
   * });
   * ```
   */
  static async launch(options: LaunchOptions): Promise<SessionProxyConfiguration> {
    const { plugin, gateway: gatewayOptions } = splitLaunchOptions(options);
    // Only here is the server needed: whoever has a gateway elsewhere need not load it.
    const { Gateway } = await import('../gateway/index.js');
    const gateway = new Gateway({
      ...gatewayOptions,
      port: gatewayOptions.port ?? 0,
      intercept: gatewayOptions.intercept ?? (plugin.transport === 'headers' ? 'auto' : 'never'),
    });
    await gateway.listen();
    try {
      const configuration = new SessionProxyConfiguration({ ...plugin, proxyUrl: gateway.proxyUrl });
      const maxHoldMs = (await configuration.#core.gateway.upstreams())?.delays.maxHoldMs ?? DEFAULT_MAX_HOLD_MS;
      configuration.#core = { ...configuration.#core, maxHoldMs };
      configuration.#launched = gateway;
      registerCore(configuration, configuration.#core);
      return configuration;
    } catch (error) {
      await gateway.close();
      throw error;
    }
  }

  /** The gateway's address with the API key, without a session: `http://KEY:@host:port`. */
  get proxyUrl(): string {
    return writeProxyUrl(this.#core.address);
  }

  /**
   * Gives the proxy of a Crawlee session, and makes its gateway session at the first call. Without a session id it is
   * the gateway without a session. Crawlee calls this for every request.
   *
   * @throws CriticalError for a wrong API key or no gateway, which stops the run; ProxySessionError if the Crawlee
   *   session was retired meanwhile
   */
  override async newProxyInfo(
    sessionId?: string | number | NewProxyInfoOptions,
    options?: NewProxyInfoOptions,
  ): Promise<ProxyInfo> {
    const crawleeId = typeof sessionId === 'object' || sessionId === undefined ? undefined : String(sessionId);
    if (crawleeId === undefined && this.#core.transport === 'headers') throw headersNeedPreset();
    const url = await this.newUrl(crawleeId, options);
    const info = { ...(crawleeId === undefined ? {} : { sessionId: crawleeId }), ...partsOfProxyUrl(url) };
    if (crawleeId === undefined || this.#core.adopted.has(crawleeId)) return info;
    return this.#dropInBrowsers.mark(info);
  }

  /** As `newProxyInfo()`, but the URL alone: `http://KEY:session-ID@host:port`. */
  override async newUrl(
    sessionId?: string | number | NewProxyInfoOptions,
    options?: NewProxyInfoOptions,
  ): Promise<string> {
    if (typeof sessionId === 'object' || sessionId === undefined) return this.proxyUrl;
    const crawleeId = String(sessionId);
    const hasPreset = this.#core.adopted.has(crawleeId);
    const { url, proxySessionId } = await proxyOfSession(this.#core, crawleeId, options?.request);
    if (proxySessionId !== undefined && !hasPreset) this.#holdWatch.look(proxySessionId);
    return url;
  }

  /**
   * Merges into the options of an HTTP crawler (Cheerio, Http, JSDOM, LinkeDOM) what the option `proxyConfiguration`
   * alone can't do; your values win. The pool holds as many sessions as the gateway has outgoing IPs, time limits
   * outlast the longest hold, a retired session ends its gateway session, and the gateway's answers are read as what
   * they are.
   *
   * @throws TypeError for another `proxyConfiguration` among the options, or `useSessionPool: false`
   * @example
   * ```ts
   * const crawler = new CheerioCrawler(proxyConfiguration.httpCrawlerOptions({ requestHandler, maxConcurrency: 5 }));
   * ```
   */
  httpCrawlerOptions<O extends object>(options: O): O {
    return mergeHttpCrawlerOptions(this.#core, this, options);
  }

  /**
   * Merges into the options of a browser crawler (Playwright, Puppeteer) what makes each page leave by its own session's
   * outgoing IP; your values win. With the option `proxyConfiguration` alone Crawlee pairs pages with sessions wrongly.
   *
   * @throws TypeError for another `proxyConfiguration` among the options, or `useSessionPool: false`
   * @example
   * ```ts
   * const crawler = new PlaywrightCrawler(proxyConfiguration.browserCrawlerOptions({ requestHandler }));
   * ```
   */
  browserCrawlerOptions<O extends object>(options: O, plugin: BrowserPresetOptions = {}): O {
    const merge = this.#core.transport === 'headers' ? mergeHeaderBrowserOptions : mergeBrowserCrawlerOptions;
    return merge(this.#core, this, options, plugin);
  }

  /**
   * Merges into the options of a BasicCrawler what makes `sendRequest()` leave by the session's outgoing IP; your values
   * win.
   *
   * @throws TypeError for another `proxyConfiguration` among the options, or `useSessionPool: false`
   * @example
   * ```ts
   * const crawler = new BasicCrawler(proxyConfiguration.basicCrawlerOptions({ requestHandler }));
   * ```
   */
  basicCrawlerOptions<O extends object>(options: O): O {
    return mergeBasicCrawlerOptions(this.#core, this, options);
  }

  /**
   * Pages that left by another session than their own, so far: with the presets it stays 0. Pages over https are checked
   * a moment after they were loaded, so that the number is complete after `close()`.
   */
  get mismatches(): number {
    return this.#core.truth.mismatches;
  }

  /** What is known of a Crawlee session's gateway session; undefined before its first use and after its retirement. */
  proxySession(session: Pick<Session, 'id'>): ProxySessionInfo | undefined {
    return this.#core.bindings.find(session.id);
  }

  /**
   * Ends the gateway sessions that this configuration made, unless they are to be kept, and a gateway that it
   * launched. No session can be made afterwards. It does not throw if the gateway is gone or has forgotten them.
   *
   * After a run that was interrupted (Ctrl+C, migration) sessions are kept unless `keepSessions: false` says otherwise:
   * started again with CRAWLEE_PURGE_ON_START=0, the run goes on with them, cookies and outgoing IPs as before.
   */
  async close({ keepSessions }: { readonly keepSessions?: boolean } = {}): Promise<void> {
    this.#closed ??= this.#close(keepSessions ?? this.#core.interruption.hasHappened);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(keepSessions: boolean): Promise<void> {
    this.#holdWatch.close();
    await this.#core.slots?.giveBackAll();
    await this.#core.truth.settled();
    await this.#core.verdicts.settled();
    await closeBrowserWay(this.#core);
    await this.#core.bindings.close({ keepSessions });
    await this.#launched?.close();
  }
}
