// The clocks of a memory store. A drained clock is as good as none, so it is dropped: what is kept is bounded by the
// uses of the last `hardLimitMs`.

import { createPace, isDrained, type Pace } from '../sessions/pace.js';
import { DeadlineHeap, type Ending } from './deadline-heap.js';

/** Clocks looked at per call, so that dropping many is spread over many calls. */
const DROP_PER_CALL = 8;

interface KeptPace extends Ending {
  readonly key: string;
  readonly pace: Pace;
}

/** The clocks that are not drained, by name. */
export class Paces {
  readonly #byKey = new Map<string, KeptPace>();
  readonly #byEnd = new DeadlineHeap<KeptPace>();

  /** When a clock is free, epoch milliseconds; in the past for one that is drained. */
  freeAtMs(key: string): number {
    return this.#byKey.get(key)?.pace.nextFreeAtMs ?? -Infinity;
  }

  /** Lets `change` work on a clock, which is kept if it is not drained afterwards. */
  change<R>(key: string, nowMs: number, change: (pace: Pace) => R): R {
    this.#dropDrained(nowMs);
    const known = this.#byKey.get(key);
    const pace = known?.pace ?? createPace();
    const result = change(pace);
    if (!isDrained(pace, nowMs)) this.#keep(known ?? { key, pace, endsAtMs: 0, heapIndex: -1 });
    else if (known !== undefined) this.#drop(known);
    return result;
  }

  #keep(kept: KeptPace): void {
    this.#byKey.set(kept.key, kept);
    this.#byEnd.put(kept, kept.pace.nextFreeAtMs);
  }

  #drop(kept: KeptPace): void {
    this.#byKey.delete(kept.key);
    this.#byEnd.take(kept);
  }

  #dropDrained(nowMs: number): void {
    for (let dropped = 0; dropped < DROP_PER_CALL; dropped += 1) {
      const first = this.#byEnd.first();
      if (first === undefined || !isDrained(first.pace, nowMs)) return;
      this.#drop(first);
    }
  }
}
