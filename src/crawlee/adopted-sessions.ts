// Which Crawlee sessions came from a pool of ours. A session that did not belongs to a crawler with the option
// `proxyConfiguration` alone, which has neither our HTTP client nor our time limits.

import type { Session } from '@crawlee/core';

/** Sessions known at most, least recently asked for first out: more than any pool holds at a time. */
const MAX_SESSIONS = 10_000;

/** The sessions that our pools made. */
export class AdoptedSessions {
  /** By id; those that no pool holds any more may go. */
  readonly #sessions = new Map<string, WeakRef<Session>>();
  readonly #ofBrowsers = new WeakSet<Session>();

  add(session: Session): void {
    this.#sessions.set(session.id, new WeakRef(session));
    if (this.#sessions.size <= MAX_SESSIONS) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }

  /** Notes that a session serves pages of browsers, whose tunnels go on in the gateway session they were opened in. */
  giveToBrowsers(session: Session): void {
    this.#ofBrowsers.add(session);
  }

  isOfBrowser(sessionId: string): boolean {
    const session = this.find(sessionId);
    return session !== undefined && this.#ofBrowsers.has(session);
  }

  has(sessionId: string): boolean {
    const known = this.#sessions.get(sessionId);
    if (known === undefined) return false;
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, known);
    return true;
  }

  /** The session of that id, if a pool holds it still. */
  find(sessionId: string): Session | undefined {
    return this.#sessions.get(sessionId)?.deref();
  }
}
