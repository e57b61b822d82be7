// What Crawlee 4 asks of a session pool and its sessions. Ours: described here and not imported, because Crawlee 4 is not
// on npm yet and this package is built with Crawlee 3; a type test holds it against Crawlee 4's own words.

import type { CookieJar } from 'tough-cookie';

/**
 * The proxy of a session, as Crawlee 4 reads it.
 *
 * @see https://github.com/apify/crawlee/blob/master/packages/types/src/session.ts
 */
export interface SessionProxyInfo {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly hostname: string;
  readonly port: string;
  /** Whether certificates are not to be verified, for a proxy that looks inside tunnels. */
  readonly ignoreTlsErrors: boolean;
}

/** A session, as crawlers of Crawlee 4 use it. */
export interface CrawleeSession {
  readonly id: string;
  readonly cookieJar: CookieJar;
  readonly proxyInfo: SessionProxyInfo;
  /** Whether it may serve further requests. */
  isUsable(): boolean;
  /** Whether it has failed too often, or was retired. */
  isBlocked(): boolean;
  /** A request went well. */
  markGood(): void;
  /** A request failed, perhaps because of the session. */
  markBad(): void;
  /** The session is of no more use; nothing brings it back. */
  retire(): void;
}

/** What crawlers of Crawlee 4 take as `sessionPool`. */
export interface CrawleeSessionPool {
  /** A session for a request, or the one of that id; undefined if it is gone. */
  getSession(sessionId?: string): Promise<CrawleeSession | undefined>;
}
