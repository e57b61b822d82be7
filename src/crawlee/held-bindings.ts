// Keeps the gateway session of a request that has its session and is not sent yet: if the Crawlee session is retired in
// between, the request still goes out in it.

import type { SessionBindings } from './session-bindings.js';

/** A request that is not sent within this time never will be, or keeps its session by itself. */
const HOLD_MS = 60_000;

/** Requests between the choice of their session and their sending, by Crawlee session. Bounded by the requests in flight. */
export class HeldBindings {
  readonly #bindings: SessionBindings;
  readonly #held = new Map<string, NodeJS.Timeout[]>();

  constructor(bindings: SessionBindings) {
    this.#bindings = bindings;
  }

  /** Keeps the gateway session for one request. */
  hold(crawleeId: string): void {
    this.#bindings.enter(crawleeId);
    const timer = setTimeout(() => this.#drop(crawleeId, timer), HOLD_MS);
    timer.unref();
    this.#held.set(crawleeId, [...(this.#held.get(crawleeId) ?? []), timer]);
  }

  /** A request is being sent, or was answered: whoever sends it keeps the session from now on. */
  release(crawleeId: string): void {
    const [first] = this.#held.get(crawleeId) ?? [];
    if (first !== undefined) this.#drop(crawleeId, first);
  }

  #drop(crawleeId: string, timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    const rest = (this.#held.get(crawleeId) ?? []).filter((other) => other !== timer);
    if (rest.length === 0) this.#held.delete(crawleeId);
    else this.#held.set(crawleeId, rest);
    this.#bindings.leave(crawleeId);
  }
}
