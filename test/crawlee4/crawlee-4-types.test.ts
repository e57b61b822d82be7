// Holds what the pool for Crawlee 4 offers against what Crawlee 4 takes, described here in full because Crawlee 4 is not
// on npm yet. When it is, its own types take the place of these.
//
// Source: https://github.com/apify/crawlee at 0571b8ce0e69f29ba3ddc9ca643d0ba03302d72e, packages/types/src/session.ts
// (ISession, ISessionPool, ProxyInfo) and packages/types/src/cookies.ts (CookieJar); members by name and type only.

import { expectTypeOf, test } from 'vitest';

import type { CrawleeSession, CrawleeSessionPool, PooledSession, ProxySessionPool } from '../../src/crawlee4/index.js';

type OrInfinity<T> = T | 'Infinity';
type Site = 'none' | 'lax' | 'strict';

interface SessionCookie {
  key: string;
  value: string;
  expires: OrInfinity<Date> | null;
  maxAge: OrInfinity<number> | '-Infinity' | null;
  domain: string | null;
  path: string | null;
  secure: boolean;
  httpOnly: boolean;
  extensions: string[] | null;
  creation: OrInfinity<Date> | null;
  creationIndex: number;
  hostOnly: boolean | null;
  pathIsDefault: boolean | null;
  lastAccessed: OrInfinity<Date> | null;
  sameSite: string | undefined;
  toJSON(): Record<string, unknown>;
  clone(): SessionCookie | undefined;
  validate(): boolean;
  setExpires(exp: string | Date): void;
  setMaxAge(age: number): void;
  cookieString(): string;
  TTL(now?: number): number;
  expiryTime(now?: Date): number | undefined;
  expiryDate(now?: Date): Date | undefined;
  isPersistent(): boolean;
  canonicalizedDomain(): string | undefined;
  cdomain(): string | undefined;
}

interface WriteOptions {
  loose?: boolean;
  sameSiteContext?: Site;
  ignoreError?: boolean;
  http?: boolean;
  now?: Date;
}

interface ReadOptions {
  http?: boolean;
  expire?: boolean;
  allPaths?: boolean;
  sameSiteContext?: Site;
  sort?: boolean;
}

interface SerializedJar {
  version: string;
  storeType: string | null;
  rejectPublicSuffixes: boolean;
  cookies: Record<string, unknown>[];
  [key: string]: unknown;
}

interface Jar {
  setCookie(
    cookie: string | SessionCookie,
    url: string | URL,
    options?: WriteOptions,
  ): Promise<SessionCookie | undefined>;
  setCookieSync(cookie: string | SessionCookie, url: string | URL, options?: WriteOptions): SessionCookie | undefined;
  getCookies(url: string | URL, options?: ReadOptions): Promise<SessionCookie[]>;
  getCookiesSync(url: string | URL, options?: ReadOptions): SessionCookie[];
  getCookieString(url: string | URL, options?: ReadOptions): Promise<string>;
  getCookieStringSync(url: string | URL, options?: ReadOptions): string;
  getSetCookieStrings(url: string | URL, options?: ReadOptions): Promise<string[] | undefined>;
  getSetCookieStringsSync(url: string | URL, options?: ReadOptions): string[];
  serialize(): Promise<SerializedJar>;
  serializeSync(): SerializedJar | undefined;
  toJSON(): SerializedJar | undefined;
  clone(): Promise<Jar>;
}

interface ProxyInfo {
  url: string;
  username?: string;
  password: string;
  hostname: string;
  port: number | string;
  ignoreTlsErrors?: boolean;
}

interface ISession {
  readonly id: string;
  cookieJar: Jar;
  proxyInfo?: ProxyInfo;
  fingerprint?: {
    browser?: 'chrome' | 'firefox' | 'safari' | 'edge';
    platform?: 'windows' | 'macos' | 'linux' | 'android' | 'ios';
    device?: 'desktop' | 'mobile';
  };
  isUsable(): boolean;
  markGood(): void;
  retire(): void;
  markBad(): void;
}

interface ISessionPool {
  getSession(sessionId?: string): Promise<ISession | undefined>;
}

test('the pool is what a crawler of Crawlee 4 takes as sessionPool', () => {
  expectTypeOf<ProxySessionPool>().toExtend<ISessionPool>();
  expectTypeOf<CrawleeSessionPool>().toExtend<ISessionPool>();
});

test('its sessions are sessions, cookie jar and proxy included', () => {
  expectTypeOf<PooledSession>().toExtend<ISession>();
  expectTypeOf<CrawleeSession>().toExtend<ISession>();
  expectTypeOf<PooledSession['cookieJar']>().toExtend<Jar>();
  expectTypeOf<PooledSession['proxyInfo']>().toExtend<ProxyInfo>();
});

test('the description is no empty one: a pool of strings does not pass', () => {
  expectTypeOf<{ getSession(): Promise<string> }>().not.toExtend<ISessionPool>();
  expectTypeOf<Omit<PooledSession, 'markBad'>>().not.toExtend<ISession>();
  expectTypeOf<{ url: string }>().not.toExtend<ProxyInfo>();
});
