// Where the cookies of one jar lie: few, small, and none that has expired by the gateway's clock. Which cookies a site
// may set or see is settled by the jar in front.

import { type Callback, type Cookie, type ErrorCallback, type Nullable, Store } from 'tough-cookie';

/** Cookies of one jar, as many as Chromium keeps of a site; past that the one set longest ago is dropped. */
export const MAX_COOKIES = 180;

/** The room that the cookies of all jars take together. */
export interface CookieRoom {
  /** Characters of names, values, domains and paths. */
  characters: number;
}

/**
 * A synchronous store for one jar of tough-cookie. It has the four calls that setting and getting make; the library's
 * own store keeps empty entries of every path it ever saw, and knows the wall clock only.
 */
export class BoundedCookieStore extends Store {
  override synchronous = true;
  readonly #cookies = new Map<string, Cookie>();
  readonly #nowMs: () => number;
  readonly #room: CookieRoom;

  constructor({ nowMs, room }: { readonly nowMs: () => number; readonly room: CookieRoom }) {
    super();
    this.#nowMs = nowMs;
    this.#room = room;
  }

  override findCookie(
    domain: Nullable<string>,
    path: Nullable<string>,
    name: Nullable<string>,
    callback?: Callback<Cookie | undefined>,
  ): Promise<Cookie | undefined> {
    const found = this.#cookies.get(keyOf(domain, path, name));
    callback?.(null, found);
    return Promise.resolve(found);
  }

  /** Gives all cookies that have not expired: the jar asks each of them whether it fits domain and path. */
  override findCookies(
    _domain: Nullable<string>,
    _path: Nullable<string>,
    _allowSpecialUseDomain?: boolean,
    callback?: Callback<Cookie[]>,
  ): Promise<Cookie[]> {
    for (const [key, cookie] of this.#cookies) if (this.#hasExpired(cookie)) this.#drop(key);
    const living = [...this.#cookies.values()];
    callback?.(null, living);
    return Promise.resolve(living);
  }

  /** Keeps a cookie; one that has expired only takes away its namesake, which is how sites delete cookies. */
  override putCookie(cookie: Cookie, callback?: ErrorCallback): Promise<void> {
    const key = keyOf(cookie.domain, cookie.path, cookie.key);
    this.#drop(key);
    if (!this.#hasExpired(cookie)) {
      this.#cookies.set(key, cookie);
      this.#room.characters += charactersOf(cookie);
    }
    for (const [oldest] of this.#cookies) {
      if (this.#cookies.size <= MAX_COOKIES) break;
      this.#drop(oldest);
    }
    callback?.(null);
    return Promise.resolve();
  }

  override updateCookie(_before: Cookie, cookie: Cookie, callback?: ErrorCallback): Promise<void> {
    return this.putCookie(cookie, callback);
  }

  /** Gives the room of all its cookies back. */
  clear(): void {
    for (const [key] of this.#cookies) this.#drop(key);
  }

  #hasExpired(cookie: Cookie): boolean {
    return (cookie.expiryTime() ?? Infinity) <= this.#nowMs();
  }

  #drop(key: string): void {
    const cookie = this.#cookies.get(key);
    if (cookie === undefined) return;
    this.#cookies.delete(key);
    this.#room.characters -= charactersOf(cookie);
  }
}

function keyOf(domain: Nullable<string>, path: Nullable<string>, name: Nullable<string>): string {
  return `${domain}\n${path}\n${name}`;
}

function charactersOf({ key, value, domain, path }: Cookie): number {
  return key.length + value.length + (domain?.length ?? 0) + (path?.length ?? 0);
}
