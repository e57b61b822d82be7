// The time, read in this one place. Stores are created with a clock, so that a test can hand in one of its own.

import { performance } from 'node:perf_hooks';

/** It stays, and is read through a getter that costs more than the time itself. */
const ORIGIN_MS = performance.timeOrigin;

/** Tells the time. */
export interface Clock {
  /** Epoch milliseconds, whole; never lower than an earlier answer. */
  nowMs(): number;
}

/**
 * The clock of this machine: the wall clock at start, moved on by the monotonic one, so that it does not jump when
 * the wall clock is set.
 */
export const systemClock: Clock = {
  nowMs: () => Math.floor(ORIGIN_MS + performance.now()),
};
