// The sessions of one API key in order of creation, so that a list can be paged: a page starts where the last one
// ended, found by bisection, even if that session is gone by then. Also finds sessions by name.

/** What the order needs of a session: its rank, which rises with every creation. */
export interface Ranked {
  readonly rank: number;
  readonly name: string | undefined;
}

/** An ordered set of sessions. Bounded by the sessions an API key may have, plus as many holes. */
export class OwnerSessions<T extends Ranked> {
  #slots: (T | undefined)[] = [];
  #ranks: number[] = [];
  #size = 0;
  readonly #byName = new Map<string, T>();

  get size(): number {
    return this.#size;
  }

  /** Adds a session, whose rank must be above all earlier ones. */
  add(session: T): void {
    this.#slots.push(session);
    this.#ranks.push(session.rank);
    this.#size += 1;
    if (session.name !== undefined) this.#byName.set(session.name, session);
  }

  named(name: string): T | undefined {
    return this.#byName.get(name);
  }

  delete(session: T): void {
    const index = this.#firstAfter(session.rank - 1);
    if (this.#slots[index] !== session) return;
    this.#slots[index] = undefined;
    this.#size -= 1;
    if (session.name !== undefined) this.#byName.delete(session.name);
    if (this.#slots.length > 32 && this.#size < this.#slots.length / 2) this.#compact();
  }

  /** Yields the sessions whose rank is above `rank`, oldest first. */
  *after(rank: number): Generator<T> {
    for (let index = this.#firstAfter(rank); index < this.#slots.length; index += 1) {
      const session = this.#slots[index];
      if (session !== undefined) yield session;
    }
  }

  #firstAfter(rank: number): number {
    let low = 0;
    let high = this.#ranks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranks[middle] as number) <= rank) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compact(): void {
    this.#slots = this.#slots.filter((session) => session !== undefined);
    this.#ranks = this.#slots.map((session) => (session as T).rank);
  }
}
