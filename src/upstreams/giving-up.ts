// How one request, or one attempt of it, is given up. What for is not known here.

import type { GatewayError } from '../sessions/errors.js';
import type { GiveUp } from './upstream.js';

/** Gives one thing up. As an `AbortController`, but without an event target, which costs a tenth of a whole request. */
export class GivingUp implements GiveUp {
  aborted = false;
  reason: unknown = undefined;
  readonly #listeners: (() => void)[] = [];

  /** What others get to see of it. */
  get signal(): GiveUp {
    return this;
  }

  /** Tells it; later calls change nothing. */
  abort(reason: GatewayError): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    // One that another one takes away is not called any more.
    for (let next = this.#listeners.shift(); next !== undefined; next = this.#listeners.shift()) next();
  }

  /** @throws the reason, once it is given up */
  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  /** Each listener is called once, for there is one abort. */
  addEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.push(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    const index = this.#listeners.indexOf(listener);
    if (index !== -1) this.#listeners.splice(index, 1);
  }
}
