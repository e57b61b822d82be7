// Which Crawlee sessions came from a pool of ours. A session that did not belongs to a crawler with the option
// `proxyConfiguration` alone, which has neither our HTTP client nor our time limits.

/** Ids kept at most, least recently asked for first out: more than any pool holds at a time. */
const MAX_IDS = 10_000;

/** The ids of sessions that our pools made. */
export class AdoptedSessions {
  readonly #ids = new Set<string>();

  add(sessionId: string): void {
    this.#ids.add(sessionId);
    if (this.#ids.size <= MAX_IDS) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  has(sessionId: string): boolean {
    if (!this.#ids.delete(sessionId)) return false;
    this.#ids.add(sessionId);
    return true;
  }
}
