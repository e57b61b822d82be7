// When the gateway is asked about a session: never twice at a time, and once for all who want to know at about the same
// time. What is asked is not known here.

import { setTimeout } from 'node:timers/promises';

/** Asks about sessions; everybody gets an answer that is no older than their question. */
export class SessionLooks<T> {
  readonly #ask: (proxySessionId: string) => Promise<T>;
  /** Looks that are not sent yet, and so may be shared. Bounded by the sessions with pages, as are the others. */
  readonly #waiting = new Map<string, Promise<T>>();
  readonly #running = new Map<string, Promise<T>>();

  constructor(ask: (proxySessionId: string) => Promise<T>) {
    this.#ask = ask;
  }

  /**
   * Looks at a session.
   *
   * @param gatherMs how long others are waited for, in milliseconds
   * @throws what the asking threw
   */
  look(proxySessionId: string, gatherMs: number): Promise<T> {
    const known = this.#waiting.get(proxySessionId);
    if (known !== undefined) return known;
    const look = this.#lookLater(proxySessionId, gatherMs);
    this.#waiting.set(proxySessionId, look);
    return look;
  }

  async #lookLater(proxySessionId: string, gatherMs: number): Promise<T> {
    // Nobody's process stays for it: who wants the answer waits for it.
    const gathered = setTimeout(gatherMs, undefined, { ref: false });
    await Promise.allSettled([gathered, this.#running.get(proxySessionId)]);
    this.#waiting.delete(proxySessionId);
    const answer = this.#ask(proxySessionId);
    this.#running.set(proxySessionId, answer);
    try {
      return await answer;
    } finally {
      this.#running.delete(proxySessionId);
    }
  }
}
