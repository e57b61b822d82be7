// A binary heap of things that end: the one that ends first is at hand, and each can be moved or taken out at any
// time. Sessions end out of order (a held use starts minutes from now), so a list in order of last use won't do.

/** Something with an end, kept by a heap. `heapIndex` is the heap's own; -1 while it is in none. */
export interface Ending {
  endsAtMs: number;
  heapIndex: number;
}

/** Keeps things in order of `endsAtMs`; every operation takes logarithmic time. */
export class DeadlineHeap<T extends Ending> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The thing that ends first. */
  first(): T | undefined {
    return this.#items[0];
  }

  /** Puts a thing in, or moves it to where its new end belongs. */
  put(item: T, endsAtMs: number): void {
    item.endsAtMs = endsAtMs;
    if (item.heapIndex === -1) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
    }
    this.#sink(this.#rise(item.heapIndex));
  }

  /** Takes a thing out; one that is not in changes nothing. */
  take(item: T): void {
    const index = item.heapIndex;
    if (index === -1) return;
    item.heapIndex = -1;
    const last = this.#items.pop() as T;
    if (last === item) return;
    this.#set(index, last);
    this.#sink(this.#rise(index));
  }

  #rise(from: number): number {
    let index = from;
    const item = this.#items[index] as T;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#items[parent] as T;
      if (above.endsAtMs <= item.endsAtMs) break;
      this.#set(index, above);
      index = parent;
    }
    this.#set(index, item);
    return index;
  }

  #sink(from: number): void {
    let index = from;
    const item = this.#items[index] as T;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#items.length) break;
      const right = this.#items[child + 1];
      if (right !== undefined && right.endsAtMs < (this.#items[child] as T).endsAtMs) child += 1;
      const below = this.#items[child] as T;
      if (below.endsAtMs >= item.endsAtMs) break;
      this.#set(index, below);
      index = child;
    }
    this.#set(index, item);
  }

  #set(index: number, item: T): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }
}
