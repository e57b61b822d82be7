// The clocks of a memory store. A drained clock is as good as none, so it is dropped: what is kept is bounded by the
// uses of the last `hardLimitMs`.

import { createPace, isDrained, type Pace } from '../sessions/pace.js';
import { DeadlineHeap, type Ending } from './deadline-heap.js';

/** Clocks looked at per call, so that dropping many is spread over many calls. */
const DROP_PER_CALL = 8;

interface KeptPace extends Pace, Ending {
  readonly key: string;
}

/** The clocks that are not drained, by name. */
export class Paces {
  readonly #byKey = new Map<string, KeptPace>();
  readonly #byEnd = new DeadlineHeap<KeptPace>();

  /** When a clock is free, epoch milliseconds; in the past for one that is drained. */
  freeAtMs(key: string): number {
    return this.#byKey.get(key)?.nextFreeAtMs ?? -Infinity;
  }

  /** Lets `change` work on a clock, which is kept if it is not drained afterwards. */
  change<R>(key: string, nowMs: number, change: (pace: Pace) => R): R {
    this.#dropDrained(nowMs);
    let pace = this.#byKey.get(key);
    if (pace === undefined) {
      pace = { ...createPace(), key, endsAtMs: 0, heapIndex: -1 };
      this.#byKey.set(key, pace);
    }
    const result = change(pace);
    this.#byEnd.put(pace, pace.nextFreeAtMs);
    return result;
  }

  #dropDrained(nowMs: number): void {
    for (let dropped = 0; dropped < DROP_PER_CALL; dropped += 1) {
      const pace = this.#byEnd.first();
      if (pace === undefined || !isDrained(pace, nowMs)) return;
      this.#byEnd.take(pace);
      this.#byKey.delete(pace.key);
    }
  }
}
