// A binary heap of things that end: the one that ends first is at hand, and each can be moved or taken out at any
// time. Sessions end out of order (a held use starts minutes from now), so a list in order of last use won't do.

/** Something with an end, kept by a heap. `heapIndex` is the heap's own; -1 while it is in none. */
export interface Ending {
  heapIndex: number;
}

/** Ends there is room for at first. */
const FIRST_CAPACITY = 64;

/** Keeps things in order of their end; every operation takes logarithmic time. */
export class DeadlineHeap<T extends Ending> {
  readonly #items: T[] = [];
  /** The end of each item, in an array of its own: a number inside an object costs three times as much memory. */
  #ends = new Float64Array(FIRST_CAPACITY);

  get size(): number {
    return this.#items.length;
  }

  /** The thing that ends first. */
  first(): T | undefined {
    return this.#items[0];
  }

  /** When a thing ends, epoch milliseconds; Infinity for one that is not in. */
  endOf({ heapIndex }: T): number {
    return heapIndex === -1 ? Infinity : (this.#ends[heapIndex] as number);
  }

  /** Puts a thing in, or moves it to where its new end belongs. */
  put(item: T, endsAtMs: number): void {
    if (item.heapIndex === -1) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
      this.#makeRoom();
    }
    this.#ends[item.heapIndex] = endsAtMs;
    this.#sink(this.#rise(item.heapIndex));
  }

  /** Takes a thing out; one that is not in changes nothing. */
  take(item: T): void {
    const index = item.heapIndex;
    if (index === -1) return;
    item.heapIndex = -1;
    const last = this.#items.pop() as T;
    if (last === item) return;
    this.#set(index, last, this.#ends[this.#items.length] as number);
    this.#sink(this.#rise(index));
  }

  #rise(from: number): number {
    let index = from;
    const item = this.#items[index] as T;
    const end = this.#ends[index] as number;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#ends[parent] as number;
      if (above <= end) break;
      this.#set(index, this.#items[parent] as T, above);
      index = parent;
    }
    this.#set(index, item, end);
    return index;
  }

  #sink(from: number): void {
    let index = from;
    const item = this.#items[index] as T;
    const end = this.#ends[index] as number;
    const size = this.#items.length;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && (this.#ends[right] as number) < (this.#ends[child] as number)) child = right;
      const below = this.#ends[child] as number;
      if (below >= end) break;
      this.#set(index, this.#items[child] as T, below);
      index = child;
    }
    this.#set(index, item, end);
  }

  #set(index: number, item: T, endsAtMs: number): void {
    this.#items[index] = item;
    this.#ends[index] = endsAtMs;
    item.heapIndex = index;
  }

  #makeRoom(): void {
    if (this.#items.length <= this.#ends.length) return;
    const wider = new Float64Array(this.#ends.length * 2);
    wider.set(this.#ends);
    this.#ends = wider;
  }
}
