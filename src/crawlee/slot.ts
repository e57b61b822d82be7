// A booked start and when it may be begun on: at its time, and a whole delay after the last use that really began on that
// outgoing IP. Whose start it is, is not known here.

import { setTimeout as sleep } from 'node:timers/promises';

/** A started slot covers requests for two minutes at the gateway; this much later it is not begun on. */
const FRESH_MS = 100_000;

/** Outgoing IPs whose last use is remembered; past that the oldest is forgotten. As many as plans. */
const MAX_IPS = 5_000;

/** A slot as the gateway grants it. */
export interface GrantedSlot {
  readonly slot: string;
  readonly startsInMs: number;
  /** Wait of the use after this one: the gap behind this one comes of it. */
  readonly nextUseInMs: number;
  readonly outgoingIp: string;
}

/** A slot that was refused; `lost`: the gateway does not know the session. */
export type SlotRefusal = { readonly code: string; readonly retryAfterMs: number | undefined } | 'lost';

/** A slot on the clock of this process. */
export interface Slot {
  readonly id: string;
  readonly host: string;
  readonly outgoingIp: string;
  readonly startsAtMs: number;
  /** The gap to keep behind it. */
  readonly delayMs: number;
}

/** Puts a slot that was granted just now on the clock. */
export function slotOf(granted: GrantedSlot, host: string, nowMs: number): Slot {
  const { slot: id, startsInMs, nextUseInMs, outgoingIp } = granted;
  return { id, host, outgoingIp, startsAtMs: nowMs + startsInMs, delayMs: nextUseInMs - startsInMs };
}

/** When slots may be begun on. */
export class SlotStarts {
  readonly #nowMs: () => number;
  /** When each outgoing IP may be used again, by what really went out. */
  readonly #freeAtMs = new Map<string, number>();

  /** @param nowMs milliseconds of a monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Whether it is not too late for a slot. */
  isFresh({ startsAtMs }: Slot): boolean {
    return this.#nowMs() - startsAtMs < FRESH_MS;
  }

  /** When a slot may be begun on, in milliseconds of the clock. */
  dueAtMs({ startsAtMs, outgoingIp }: Slot): number {
    return Math.max(startsAtMs, this.#freeAtMs.get(outgoingIp) ?? -Infinity);
  }

  /** Waits for the start of a slot, and notes when it is really begun on: a late one pushes the next one back. */
  async begin(slot: Slot): Promise<void> {
    const leftMs = (): number => this.dueAtMs(slot) - this.#nowMs();
    for (let waitMs = leftMs(); waitMs > 0; waitMs = leftMs()) {
      // oxlint-disable-next-line no-await-in-loop -- another use of that outgoing IP may have begun late meanwhile
      await sleep(Math.ceil(waitMs));
    }
    const { outgoingIp, delayMs } = slot;
    this.#freeAtMs.delete(outgoingIp);
    this.#freeAtMs.set(outgoingIp, this.#nowMs() + delayMs);
    const [oldest] = this.#freeAtMs.keys();
    if (this.#freeAtMs.size > MAX_IPS && oldest !== undefined) this.#freeAtMs.delete(oldest);
  }
}
