// How often which value was seen, in little room: enough for percentiles, and two can be added. Knows no units.

/** Values up to this are kept exactly. */
const EXACT = 31;

/** Parts of each doubling above that: a value is told at most 1/16 too high. */
const PARTS = 16;
const PART_BITS = 4;

/** Larger values count as this one; in milliseconds it is 24 days. */
const MAX_VALUE = 2 ** 31 - 1;

/**
 * Counts of whole values from 0, in buckets that grow with the value: at most 448 of them, and only those in use take
 * room.
 */
export class Histogram {
  /** Bucket and count in turn, by bucket. */
  readonly #counts: number[] = [];
  #total = 0;

  /** Counts a value. */
  record(value: number): void {
    this.#add(bucketOf(Math.min(Math.max(0, Math.round(value)), MAX_VALUE)), 1);
  }

  /** Counts all that another one has counted. */
  merge(other: Histogram): void {
    for (let index = 0; index < other.#counts.length; index += 2) {
      this.#add(other.#counts[index] as number, other.#counts[index + 1] as number);
    }
  }

  /** The lowest value that `percent` of 100 values do not exceed; 0 where none was counted. */
  percentile(percent: number): number {
    const rank = Math.ceil((this.#total * percent) / 100);
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index += 2) {
      seen += this.#counts[index + 1] as number;
      if (seen >= rank) return highestOf(this.#counts[index] as number);
    }
    return 0;
  }

  #add(bucket: number, count: number): void {
    this.#total += count;
    const index = this.#placeOf(bucket);
    if (this.#counts[index] === bucket) this.#counts[index + 1] = (this.#counts[index + 1] as number) + count;
    else this.#counts.splice(index, 0, bucket, count);
  }

  /** Where a bucket stands, or would stand. */
  #placeOf(bucket: number): number {
    let low = 0;
    let high = this.#counts.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#counts[middle * 2] as number) < bucket) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }
}

function bucketOf(value: number): number {
  if (value <= EXACT) return value;
  const doubling = 31 - Math.clz32(value);
  const part = (value >> (doubling - PART_BITS)) - PARTS;
  return EXACT + 1 + (doubling - PART_BITS - 1) * PARTS + part;
}

function highestOf(bucket: number): number {
  if (bucket <= EXACT) return bucket;
  const above = bucket - EXACT - 1;
  const width = 2 ** (Math.floor(above / PARTS) + 1);
  return (PARTS + (above % PARTS) + 1) * width - 1;
}
