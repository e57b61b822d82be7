// The sessions of one API key in order of creation, so that a list can be paged: a page starts where the last one
// ended, found by bisection, even if that session is gone by then. Also finds sessions by name.

import type { SessionTraits } from '../sessions/session.js';

/** What the order needs of a session: its rank, which rises with every creation, and its name. */
export interface Ranked {
  readonly rank: number;
  readonly traits: Pick<SessionTraits, 'name'>;
}

/** Sessions in a row. Rows are short, so that what moves in one takes no time, and many sessions make no long array. */
const ROW_MAX = 256;

/** Two rows that have no more than this together become one. */
const JOINED_MAX = ROW_MAX / 2;

interface Row<T> {
  /** At most the rank of its first session, and above those of the row before. */
  readonly fromRank: number;
  readonly sessions: T[];
}

/** An ordered set of sessions, bounded by those an API key may have. */
export class OwnerSessions<T extends Ranked> {
  /** None is empty, and no two beside each other would do as one. */
  readonly #rows: Row<T>[] = [];
  #size = 0;
  readonly #byName = new Map<string, T>();

  get size(): number {
    return this.#size;
  }

  /** Adds a session, whose rank must be above all earlier ones. */
  add(session: T): void {
    const last = this.#rows.at(-1);
    if (last !== undefined && last.sessions.length < ROW_MAX) last.sessions.push(session);
    else this.#rows.push({ fromRank: session.rank, sessions: [session] });
    this.#size += 1;
    const { name } = session.traits;
    if (name !== undefined) this.#byName.set(name, session);
  }

  named(name: string): T | undefined {
    return this.#byName.get(name);
  }

  delete(session: T): void {
    const at = this.#rowOf(session.rank);
    const row = this.#rows[at];
    const index = row?.sessions.indexOf(session) ?? -1;
    if (row === undefined || index === -1) return;
    row.sessions.splice(index, 1);
    this.#size -= 1;
    if (session.traits.name !== undefined) this.#byName.delete(session.traits.name);
    if (!this.#join(at - 1)) this.#join(at);
    if (row.sessions.length === 0 && this.#rows[at] === row) this.#rows.splice(at, 1);
  }

  /** Yields the sessions whose rank is above `rank`, oldest first. */
  *after(rank: number): Generator<T> {
    for (let at = Math.max(0, this.#rowOf(rank)); at < this.#rows.length; at += 1) {
      for (const session of this.#rows[at]?.sessions ?? []) if (session.rank > rank) yield session;
    }
  }

  /** The last row that begins at that rank or before; -1 where all begin later. */
  #rowOf(rank: number): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle] as Row<T>).fromRank <= rank) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Makes one of a row and the next, if they are short. @returns whether it did */
  #join(at: number): boolean {
    const row = this.#rows[at];
    const next = this.#rows[at + 1];
    if (row === undefined || next === undefined) return false;
    if (row.sessions.length + next.sessions.length > JOINED_MAX) return false;
    row.sessions.push(...next.sessions);
    this.#rows.splice(at + 1, 1);
    return true;
  }
}
