// When requests that the gateway refused as too many are sent again. Each refused request makes the wait longer for all
// (the delay model), so those that were refused must not come back before the wait is over, nor all at once then.

import { setTimeout } from 'node:timers/promises';

/** Outgoing IPs that requests were refused for; past it the oldest is forgotten, which lets its requests come at once. */
const MAX_IPS = 5_000;

interface Turns {
  /** When the wait that was last told of is over, in milliseconds of `nowMs`. */
  clearAtMs: number;
  /** When the next one may go, a delay after the one before. */
  nextMs: number;
}

/** What the gateway said, and how far apart it keeps requests; all in milliseconds. */
export interface Refusal {
  readonly waitMs: number;
  readonly delayMs: number;
  /** The longest to wait here; whoever has waited that long is sent, come what may. */
  readonly atMostMs: number;
}

/** Lets refused requests go again one by one. */
export class BusyTurns {
  readonly #turns = new Map<string, Turns>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Resolves when a refused request may be sent again by that outgoing IP. */
  async wait(outgoingIp: string, { waitMs, delayMs, atMostMs }: Refusal): Promise<void> {
    const untilMs = this.#nowMs() + atMostMs;
    const turns = this.#turnsOf(outgoingIp);
    turns.clearAtMs = Math.max(turns.clearAtMs, this.#nowMs() + waitMs + delayMs);
    for (;;) {
      const leftMs = Math.min(Math.max(turns.clearAtMs, turns.nextMs), untilMs) - this.#nowMs();
      if (leftMs <= 0) break;
      // Others may be refused meanwhile, or take their turn: look again then.
      // oxlint-disable-next-line no-await-in-loop
      await setTimeout(Math.ceil(leftMs));
    }
    turns.nextMs = this.#nowMs() + delayMs;
  }

  #turnsOf(outgoingIp: string): Turns {
    const known = this.#turns.get(outgoingIp) ?? { clearAtMs: 0, nextMs: 0 };
    this.#turns.set(outgoingIp, known);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > MAX_IPS && oldest !== undefined) this.#turns.delete(oldest);
    return known;
  }
}
