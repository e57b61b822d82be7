// Whose cookies a target gets: the client's, those of a jar that the gateway keeps, or none. Which request belongs to
// which jar is decided elsewhere; a jar is a string here.

import { Cookie, CookieJar } from 'tough-cookie';
import type { CookieMode } from '../../protocol/directives.js';
import { fieldsOf, type RawHeaders, valuesOf } from '../../protocol/raw-headers.js';
import type { Clock } from '../../stores/clock.js';
import { BoundedCookieStore, type CookieRoom } from './cookie-store.js';

/** How long a jar is kept after its last request, in milliseconds. */
export const JAR_LIFE_MS = 900_000;

/** Jars kept; past that the one whose last request is longest ago is dropped. Only answers with cookies make jars. */
export const MAX_JARS = 10_000;

/** Characters of all cookies together, about as many bytes; past that jars are dropped as above. */
export const MAX_CHARACTERS = 64 * 1024 * 1024;

/** Characters of one cookie's name and value, and of its path: what browsers keep. */
const MAX_COOKIE_CHARACTERS = 4096;
const MAX_PATH_CHARACTERS = 1024;

/** Characters that a field value can't have. */
const UNSENDABLE = /[^\t\u0020-\u007e\u0080-\u00ff]/;

/** Times past this are no valid `Date`. */
const LAST_DATE_MS = 8.64e15;

/** A request or an answer that passes the gateway. */
export interface CookieExchange {
  readonly mode: CookieMode;
  /** Names the jar: a session, or an outgoing IP and a site. */
  readonly key: string;
  /** What the target is asked for; its scheme decides about `Secure` cookies. */
  readonly url: URL;
  readonly headers: RawHeaders;
}

/** The jars of a gateway. */
export interface CookieJars {
  /**
   * The fields of a request with the cookies that the mode has for it: `disable` changes nothing, `discard` removes
   * every `Cookie`, and `enable` puts one with the jar's in the place of the first, or last where there was none.
   */
  readonly outgoing: (exchange: CookieExchange) => RawHeaders;
  /** Keeps the cookies that an answer sets, under `enable`. Never throws: what can't be kept is left out. */
  readonly incoming: (exchange: CookieExchange) => void;
}

interface Jar {
  readonly cookies: CookieJar;
  readonly store: BoundedCookieStore;
  lastRequestAtMs: number;
}

/**
 * Makes the jars. `Set-Cookie` fields pass to the client untouched in every mode.
 *
 * Ours: the source says of `discard` only that no cookies are used. Here it stops those to the target; taking
 * `Set-Cookie` from an answer would change what a target said, and gain nothing: what a client makes of it is never sent.
 *
 * @see https://docs.zyte.com/smart-proxy-manager.html "X-Crawlera-Cookies"
 */
export function createCookieJars({ clock }: { readonly clock: Clock }): CookieJars {
  const jars = new Jars(clock);
  return {
    outgoing: ({ mode, key, url, headers }) => {
      if (mode === 'disable') return headers;
      return withCookies(headers, mode === 'enable' ? cookiesFor(jars.touched(key), url) : '');
    },
    incoming: ({ mode, key, url, headers }) => {
      if (mode !== 'enable') return;
      const cookies = valuesOf(headers, 'set-cookie').flatMap((value) => readCookie(value, clock.nowMs()) ?? []);
      if (cookies.length === 0) return;
      const jar = jars.made(key);
      const now = new Date(clock.nowMs());
      for (const cookie of cookies) jar.cookies.setCookieSync(cookie, url, { now, ignoreError: true });
      jars.prune();
    },
  };
}

/** The jars by key, in the order of their last requests; all are kept equally long, so the first one ends first. */
class Jars {
  readonly #clock: Clock;
  readonly #jars = new Map<string, Jar>();
  readonly #room: CookieRoom = { characters: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The jar of a request, which is kept from now on; undefined where there are no cookies yet. */
  touched(key: string): Jar | undefined {
    this.prune();
    const jar = this.#jars.get(key);
    if (jar === undefined) return undefined;
    jar.lastRequestAtMs = this.#clock.nowMs();
    this.#jars.delete(key);
    this.#jars.set(key, jar);
    return jar;
  }

  /** The jar of an answer. */
  made(key: string): Jar {
    this.prune();
    const known = this.#jars.get(key);
    if (known !== undefined) return known;
    const store = new BoundedCookieStore({ nowMs: () => this.#clock.nowMs(), room: this.#room });
    // As browsers do: cookies without a name are kept.
    const jar = {
      cookies: new CookieJar(store, { looseMode: true, rejectPublicSuffixes: true, allowSpecialUseDomain: true }),
      store,
      lastRequestAtMs: this.#clock.nowMs(),
    };
    this.#jars.set(key, jar);
    return jar;
  }

  prune(): void {
    const endedAtMs = this.#clock.nowMs() - JAR_LIFE_MS;
    for (const [key, { lastRequestAtMs, store }] of this.#jars) {
      const isTooMuch = this.#jars.size > MAX_JARS || this.#room.characters > MAX_CHARACTERS;
      if (lastRequestAtMs > endedAtMs && !isTooMuch) break;
      store.clear();
      this.#jars.delete(key);
    }
  }
}

function cookiesFor(jar: Jar | undefined, url: URL): string {
  // The store has left out what has expired; tough-cookie would look at the wall clock.
  const cookies = jar?.cookies.getCookiesSync(url, { expire: false, sort: true }) ?? [];
  return cookies.map((cookie) => cookie.cookieString()).join('; ');
}

/** Reads a `Set-Cookie` field; undefined where it holds no cookie, or none that can be kept and sent. */
function readCookie(value: string, nowMs: number): Cookie | undefined {
  const cookie = Cookie.parse(value, { loose: true });
  if (cookie === undefined || UNSENDABLE.test(cookie.cookieString())) return undefined;
  if (cookie.key.length + cookie.value.length > MAX_COOKIE_CHARACTERS) return undefined;
  if ((cookie.path?.length ?? 0) > MAX_PATH_CHARACTERS) return undefined;
  // tough-cookie counts Max-Age from the last time it was sent, by the wall clock; RFC 6265 from when it was set.
  if (cookie.maxAge !== null) cookie.expires = expiryOf(cookie.maxAge, nowMs);
  cookie.maxAge = null;
  cookie.extensions = null;
  return cookie;
}

function expiryOf(maxAgeSeconds: NonNullable<Cookie['maxAge']>, nowMs: number): Cookie['expires'] {
  const lifeMs = Number(maxAgeSeconds) * 1000;
  if (lifeMs === Infinity) return 'Infinity';
  return new Date(lifeMs <= 0 ? 0 : Math.min(nowMs + lifeMs, LAST_DATE_MS));
}

function withCookies(raw: RawHeaders, cookies: string): RawHeaders {
  const field = cookies === '' ? [] : ['Cookie', cookies];
  const headers: string[] = [];
  let isPlaced = false;
  for (const [name, value] of fieldsOf(raw)) {
    if (name.toLowerCase() !== 'cookie') headers.push(name, value);
    else if (!isPlaced) {
      headers.push(...field);
      isPlaced = true;
    }
  }
  return isPlaced ? headers : [...headers, ...field];
}
