// Wakes whoever waits for a start: one timer, for the one that comes next. What starts then is not known here.

/** The alarm of one planner. */
export class SlotAlarm {
  readonly #nowMs: () => number;
  /** When something comes that is worth telling, as it stands now; in milliseconds of the clock. */
  readonly #comingMs: () => readonly number[];
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(nowMs: () => number, comingMs: () => readonly number[]) {
    this.#nowMs = nowMs;
    this.#comingMs = comingMs;
  }

  /** Calls back whenever it rings. @returns how to end that */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells all that listen, and sets itself anew. */
  ring(): void {
    for (const listener of this.#listeners) listener();
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const nowMs = this.#nowMs();
    const coming = this.#comingMs().filter((atMs) => atMs > nowMs);
    if (coming.length === 0) return;
    this.#timer = setTimeout(() => this.ring(), Math.ceil(Math.min(...coming) - nowMs));
    this.#timer.unref();
  }
}
