// One session of the pool for Crawlee 4: when it is used up, and what the crawler sees of its proxy. Where the proxy comes
// from, and what its end brings about, is not known here.

import { CookieJar } from 'tough-cookie';

import type { CrawleeSession, SessionProxyInfo } from './crawlee-4.js';

/** When a session is used up, as Crawlee reckons; see `ProxySessionPoolOptions`. */
export interface SessionLimits {
  readonly maxUsageCount: number;
  readonly maxErrorScore: number;
  readonly maxAgeMs: number;
}

/** What a session depends on. */
export interface PooledSessionOptions {
  readonly id: string;
  readonly limits: SessionLimits;
  /** The proxy at this moment. */
  readonly readProxyInfo: () => SessionProxyInfo;
  /** Called once, when the session ends, whatever ended it. */
  readonly onRetired: () => void;
  /** Called for each failed request of a session that goes on. */
  readonly onBad: () => void;
  /** Milliseconds of a clock that never steps back. */
  readonly nowMs: () => number;
}

/** What a request that goes well makes up for, as Crawlee has it. */
const HEALING = 0.5;

/**
 * A session that `ProxySessionPool` hands out.
 *
 * @example
 * ```ts
 * const session: PooledSession | undefined = await sessionPool.getSession();
 * console.log(session?.id, session?.proxyInfo.hostname);
 * ```
 */
export class PooledSession implements CrawleeSession {
  readonly id: string;
  readonly cookieJar = new CookieJar();
  /** For the user's own values. */
  readonly userData: Record<string, unknown> = {};
  readonly #options: PooledSessionOptions;
  readonly #expiresAtMs: number;
  #usageCount = 0;
  #errorScore = 0;
  #isRetired = false;

  constructor(options: PooledSessionOptions) {
    this.id = options.id;
    this.#options = options;
    this.#expiresAtMs = options.nowMs() + options.limits.maxAgeMs;
  }

  /**
   * The gateway, with this session in the credentials. Ours: a getter, so that whatever writes sessions down, member by
   * member, writes no API key.
   */
  get proxyInfo(): SessionProxyInfo {
    return this.#options.readProxyInfo();
  }

  isBlocked(): boolean {
    return this.#isRetired || this.#errorScore >= this.#options.limits.maxErrorScore;
  }

  isUsable(): boolean {
    const isExpired = this.#options.nowMs() >= this.#expiresAtMs;
    return !this.isBlocked() && !isExpired && this.#usageCount < this.#options.limits.maxUsageCount;
  }

  markGood(): void {
    this.#errorScore = Math.max(0, this.#errorScore - HEALING);
    this.#use();
  }

  markBad(): void {
    this.#errorScore += 1;
    this.#use();
    if (!this.#isRetired) this.#options.onBad();
  }

  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#options.onRetired();
  }

  #use(): void {
    this.#usageCount += 1;
    if (!this.isUsable()) this.retire();
  }
}
