// Keys that mean something for a while. All last equally long, so the order in which they were set is the order in
// which they end.

/** Keys and when each ends; bounded by `max`, past which the oldest is forgotten early. */
export class ExpiringKeys {
  readonly #endsAtMs = new Map<string, number>();
  readonly #lastsMs: number;
  readonly #max: number;

  constructor({ lastsMs, max }: { readonly lastsMs: number; readonly max: number }) {
    this.#lastsMs = lastsMs;
    this.#max = max;
  }

  /** Keys that are kept, those that have ended but were not dropped yet too. */
  get size(): number {
    return this.#endsAtMs.size;
  }

  /** Sets a key from now on. */
  start(key: string, nowMs: number): void {
    this.#endsAtMs.delete(key);
    this.#endsAtMs.set(key, nowMs + this.#lastsMs);
    for (const [oldest, endsAtMs] of this.#endsAtMs) {
      if (endsAtMs > nowMs && this.#endsAtMs.size <= this.#max) break;
      this.#endsAtMs.delete(oldest);
    }
  }

  /** How long a key still lasts, in milliseconds; 0 where it does not. */
  leftMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#endsAtMs.get(key) ?? 0) - nowMs);
  }
}
