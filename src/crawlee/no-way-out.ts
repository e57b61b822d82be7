// How long a gateway without a usable upstream is waited for. What else it may lack is not known here.

import { setTimeout } from 'node:timers/promises';

import { noWayOut } from './errors.js';

/** How long a request waits until it is tried again, in milliseconds: another session's upstream may be usable. */
const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

/** How long nobody finds a way out before the run ends, in milliseconds. Ours: longer than a proxy's restart. */
const GIVE_UP_AFTER_MS = 600_000;

/** The ways out of one gateway, as far as its refusals tell. */
export class NoWayOut {
  readonly #gatewayUrl: string;
  readonly #nowMs: () => number;
  /** Since when every request is refused; undefined while some are answered. */
  #sinceMs: number | undefined;

  constructor(gatewayUrl: string, nowMs: () => number = () => performance.now()) {
    this.#gatewayUrl = gatewayUrl;
    this.#nowMs = nowMs;
  }

  /** A target has answered somebody. */
  markFound(): void {
    this.#sinceMs = undefined;
  }

  /**
   * Waits a little.
   *
   * @param refusal     what the request is to be told: to try again
   * @param retryAfterMs when the gateway tries its upstream again, where it said so
   * @returns what to tell Crawlee: that, or to stop the run
   */
  async wait(refusal: Error, retryAfterMs: number | undefined): Promise<Error> {
    const nowMs = this.#nowMs();
    this.#sinceMs ??= nowMs;
    const sinceMs = nowMs - this.#sinceMs;
    if (sinceMs > GIVE_UP_AFTER_MS) return noWayOut(this.#gatewayUrl, refusal);
    await setTimeout(Math.min(Math.max(retryAfterMs ?? sinceMs, SHORTEST_WAIT_MS), LONGEST_WAIT_MS));
    return refusal;
  }
}
