// A clock that stands still until a test moves it.

import type { Clock } from '../../src/stores/clock.js';

/** A clock for tests, in epoch milliseconds. */
export class FakeClock implements Clock {
  #nowMs: number;

  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Moves on, or back to see that nothing minds. */
  advance(byMs: number): void {
    this.#nowMs += byMs;
  }
}
