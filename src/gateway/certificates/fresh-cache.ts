// Values that are costly to make and good for a time: kept while they are used, made once for all who ask at a time.
// What they are is not known here.

import type { Clock } from '../../stores/clock.js';

/** A value, and from when on it is made anew, in epoch milliseconds. */
export interface Made<T> {
  readonly value: T;
  readonly renewAtMs: number;
}

interface Entry<T> {
  readonly value: Promise<T>;
  renewAtMs: number;
}

/** How a cache works. */
export interface FreshCacheOptions {
  readonly clock: Clock;
  /** Values kept; beyond that the one not used for longest goes. */
  readonly maxEntries: number;
}

/** A bounded cache of values that age. */
export class FreshCache<T> {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  /** In order of last use; bounded by `maxEntries`. */
  readonly #entries = new Map<string, Entry<T>>();

  constructor({ clock, maxEntries }: FreshCacheOptions) {
    this.#clock = clock;
    this.#maxEntries = maxEntries;
  }

  /** Gives the value of a key, which is made first where there is none that is fresh. Failures are not kept. */
  get(key: string, make: () => Promise<Made<T>>): Promise<T> {
    const kept = this.#entries.get(key);
    const entry = kept !== undefined && this.#clock.nowMs() < kept.renewAtMs ? kept : this.#start(key, make);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#maxEntries) this.#dropOldest();
    return entry.value;
  }

  #start(key: string, make: () => Promise<Made<T>>): Entry<T> {
    const value = make().then(
      (made) => {
        entry.renewAtMs = made.renewAtMs;
        return made.value;
      },
      (error: unknown) => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        throw error;
      },
    );
    // Until it is made everyone waits for this one.
    const entry: Entry<T> = { value, renewAtMs: Infinity };
    return entry;
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
