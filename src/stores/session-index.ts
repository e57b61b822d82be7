// Finds sessions by ID. One map of a million entries stands still for a tenth of a second whenever it grows, so there are
// many small tables, which grow one at a time; and a table of sessions, which know their IDs, needs a third of the memory of a map.

/** What is found. */
interface Identified {
  readonly id: string;
}

/** A power of two. At a million sessions each table has a thousand. */
const PARTS = 1024;
const FIRST_CAPACITY = 4;

/** An index of sessions in parts. */
export class SessionIndex<T extends Identified> {
  readonly #parts: readonly Table<T>[] = Array.from({ length: PARTS }, () => new Table<T>());

  get(id: string): T | undefined {
    const hash = hashOf(id);
    return this.#partOf(hash).get(id, hash);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  /** Adds a session whose ID is not there yet. */
  add(session: T): void {
    const hash = hashOf(session.id);
    this.#partOf(hash).add(session, hash);
  }

  delete(id: string): void {
    const hash = hashOf(id);
    this.#partOf(hash).delete(id, hash);
  }

  /** The sessions there are, a thousandth of them at a time: each part as it is when its turn comes. */
  *inParts(): Generator<readonly T[]> {
    for (const part of this.#parts) yield part.all();
  }

  #partOf(hash: number): Table<T> {
    return this.#parts[hash & (PARTS - 1)] as Table<T>;
  }
}

/** Open addressing: a session stands at the place of its hash, or at the next free one behind it. */
class Table<T extends Identified> {
  #slots: (T | undefined)[] = Array.from({ length: FIRST_CAPACITY }, () => undefined);
  #size = 0;

  get(id: string, hash: number): T | undefined {
    return this.#slots[this.#find(id, hash)];
  }

  add(session: T, hash: number): void {
    if (this.#size * 4 >= this.#slots.length * 3) this.#grow();
    this.#slots[this.#find(session.id, hash)] = session;
    this.#size += 1;
  }

  delete(id: string, hash: number): void {
    let gap = this.#find(id, hash);
    if (this.#slots[gap] === undefined) return;
    this.#slots[gap] = undefined;
    this.#size -= 1;
    // Those behind it move up, as far as their own places allow, so that none is cut off from its place.
    for (let index = this.#after(gap); ; index = this.#after(index)) {
      const session = this.#slots[index];
      if (session === undefined) return;
      if (this.#distance(this.#placeOf(hashOf(session.id)), index) < this.#distance(gap, index)) continue;
      this.#slots[gap] = session;
      this.#slots[index] = undefined;
      gap = index;
    }
  }

  all(): readonly T[] {
    return this.#slots.filter((session) => session !== undefined);
  }

  /** Where that session stands, or else the free place where it would. */
  #find(id: string, hash: number): number {
    for (let index = this.#placeOf(hash); ; index = this.#after(index)) {
      const session = this.#slots[index];
      if (session === undefined || session.id === id) return index;
    }
  }

  #grow(): void {
    const sessions = this.all();
    this.#slots = Array.from({ length: this.#slots.length * 2 }, () => undefined);
    for (const session of sessions) this.#slots[this.#find(session.id, hashOf(session.id))] = session;
  }

  /** The lower bits have chosen the table. */
  #placeOf(hash: number): number {
    return Math.floor(hash / PARTS) & (this.#slots.length - 1);
  }

  #after(index: number): number {
    return (index + 1) & (this.#slots.length - 1);
  }

  #distance(from: number, to: number): number {
    return (to - from) & (this.#slots.length - 1);
  }
}

/** FNV-1a, with its upper bits mixed into the lower ones. IDs are random, so nobody can make many of them meet. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
