// How long a gateway that does not answer is waited for: not at all if none ever did, then longer each time, and not for
// ever. How one notices is not known here.

import { setTimeout } from 'node:timers/promises';

import { gatewayGone, gatewayNotRunning, gatewayStaysAway } from './errors.js';

/** How long a gateway that does not answer is waited for at a time, and in all, in milliseconds. */
const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;
const GIVE_UP_AFTER_MS = 120_000;

/** Whether one gateway answers. */
export class GatewayReturn {
  readonly #gatewayUrl: string;
  #wasReached = false;
  /** Since when it does not answer, in milliseconds of the monotonic clock. */
  #goneSinceMs: number | undefined;

  constructor(gatewayUrl: string) {
    this.#gatewayUrl = gatewayUrl;
  }

  /** Whether it ever answered. */
  get wasReached(): boolean {
    return this.#wasReached;
  }

  /** It has answered, so one is there: its silence from now on may pass. */
  markReached(): void {
    this.#wasReached = true;
    this.#goneSinceMs = undefined;
  }

  /**
   * Waits a little, so that a restart does not burn the queue.
   *
   * @returns what to tell Crawlee: try again, or stop the run if nothing ever answered, or nothing has for minutes
   */
  async wait(cause: unknown): Promise<Error> {
    if (!this.#wasReached) return gatewayNotRunning(this.#gatewayUrl, cause);
    const nowMs = performance.now();
    this.#goneSinceMs ??= nowMs;
    const goneMs = nowMs - this.#goneSinceMs;
    if (goneMs > GIVE_UP_AFTER_MS) return gatewayStaysAway(this.#gatewayUrl, cause);
    await setTimeout(Math.min(Math.max(goneMs, SHORTEST_WAIT_MS), LONGEST_WAIT_MS));
    return gatewayGone(this.#gatewayUrl, cause);
  }
}
