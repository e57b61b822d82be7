// What is counted in five minutes, and for how long it is kept. What counts as what is decided in `stats.ts`.

import { Histogram } from './histogram.js';

/** Length of an interval, in milliseconds. */
export const INTERVAL_MS = 5 * 60_000;

/** Age at which an interval is dropped, in milliseconds. */
export const MAX_AGE_MS = 31 * 24 * 3600_000;

/** Rows of one series; past that the oldest is dropped. */
export const MAX_ROWS = 30_000;

/** Counts of uses. */
export interface Tally {
  clean: number;
  banned: number;
  failed: number;
  /** Bytes both ways. */
  traffic: number;
  /** Uses of the API key that were open at a time. */
  readonly concurrency: Histogram;
  /** Milliseconds. */
  readonly time: Histogram;
}

/** The counts of one API key in one interval, of one host or of all. */
export interface Row {
  readonly owner: string;
  /** Empty: all hosts. */
  readonly host: string;
  readonly startMs: number;
  readonly tally: Tally;
}

/** The counts of all of them together. */
export function sumOf(tallies: readonly Tally[]): Tally {
  const sum = createTally();
  for (const { clean, banned, failed, traffic, concurrency, time } of tallies) {
    sum.clean += clean;
    sum.banned += banned;
    sum.failed += failed;
    sum.traffic += traffic;
    sum.concurrency.merge(concurrency);
    sum.time.merge(time);
  }
  return sum;
}

/** Rows in the order of their intervals, which is the order in which they were made. */
export class Series {
  readonly #rows = new Set<Row>();
  /** Those of the interval that came last, by owner and host. */
  #latest = new Map<string, Map<string, Row>>();
  #latestStartMs = -Infinity;

  /** The counts of now. */
  tallyOf({ owner, host, nowMs }: { readonly owner: string; readonly host: string; readonly nowMs: number }): Tally {
    const startMs = nowMs - (nowMs % INTERVAL_MS);
    if (startMs !== this.#latestStartMs) {
      this.#latest = new Map();
      this.#latestStartMs = startMs;
    }
    const known = this.#latest.get(owner)?.get(host);
    return (known ?? this.#add({ owner, host, startMs, tally: createTally() }, nowMs)).tally;
  }

  #add(row: Row, nowMs: number): Row {
    this.#rows.add(row);
    const ofOwner = this.#latest.get(row.owner) ?? new Map<string, Row>();
    this.#latest.set(row.owner, ofOwner.set(row.host, row));
    for (const oldest of this.#rows) {
      if (this.#rows.size <= MAX_ROWS && oldest.startMs > nowMs - MAX_AGE_MS) break;
      this.#rows.delete(oldest);
      if (oldest.startMs === this.#latestStartMs) this.#latest.get(oldest.owner)?.delete(oldest.host);
    }
    return row;
  }

  /** All rows, oldest first. */
  rows(): IterableIterator<Row> {
    return this.#rows.values();
  }
}

function createTally(): Tally {
  return { clean: 0, banned: 0, failed: 0, traffic: 0, concurrency: new Histogram(), time: new Histogram() };
}
