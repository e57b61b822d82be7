// The sessions of one API key in order of creation, so that a list can be paged: a page starts where the last one
// ended, found by bisection, even if that session is gone by then. Also finds sessions by name.

import type { SessionTraits } from '../sessions/session.js';

/** What the order needs of a session: its rank, which rises with every creation, and its name. */
export interface Ranked {
  readonly rank: number;
  readonly traits: Pick<SessionTraits, 'name'>;
}

const SPARSEST = 1 / 2;

/**
 * Between a half and a quarter, for each API key another: the sessions of many keys that are as old as each other end
 * together, and closing up the holes of all of them in one moment would stand still for it.
 */
function sparseFor(firstRank: number): number {
  return SPARSEST - (firstRank % 64) / 256;
}

/** An ordered set of sessions. Bounded by the sessions an API key may have, plus three times as many holes. */
export class OwnerSessions<T extends Ranked> {
  /** A session that is gone leaves its rank, by which the others are still found. */
  #slots: (T | number)[] = [];
  #size = 0;
  /** Holes are closed up when fewer than this part are sessions. */
  #sparse = SPARSEST;
  readonly #byName = new Map<string, T>();

  get size(): number {
    return this.#size;
  }

  /** Adds a session, whose rank must be above all earlier ones. */
  add(session: T): void {
    if (this.#slots.length === 0) this.#sparse = sparseFor(session.rank);
    this.#slots.push(session);
    this.#size += 1;
    const { name } = session.traits;
    if (name !== undefined) this.#byName.set(name, session);
  }

  named(name: string): T | undefined {
    return this.#byName.get(name);
  }

  delete(session: T): void {
    const index = this.#firstAfter(session.rank - 1);
    if (this.#slots[index] !== session) return;
    this.#slots[index] = session.rank;
    this.#size -= 1;
    if (session.traits.name !== undefined) this.#byName.delete(session.traits.name);
    if (this.#slots.length > 32 && this.#size < this.#slots.length * this.#sparse) this.#compact();
  }

  /** Yields the sessions whose rank is above `rank`, oldest first. */
  *after(rank: number): Generator<T> {
    for (let index = this.#firstAfter(rank); index < this.#slots.length; index += 1) {
      const slot = this.#slots[index];
      if (typeof slot === 'object') yield slot;
    }
  }

  #firstAfter(rank: number): number {
    let low = 0;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const slot = this.#slots[middle] as T | number;
      if ((typeof slot === 'number' ? slot : slot.rank) <= rank) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compact(): void {
    this.#slots = this.#slots.filter((slot) => typeof slot === 'object');
  }
}
