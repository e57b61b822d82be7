// Where held uses wait for their start. The store says when that is; here is the waiting itself: one timer per clock,
// earlier starts when others gave up, and nobody sooner than a delay after the last use really went out.

import type { GatewayError } from '../sessions/errors.js';
import type { Clock } from '../stores/clock.js';
import type { Acquired, SessionStore } from '../stores/session-store.js';
import type { GiveUp } from '../upstreams/upstream.js';

/**
 * The most by which a use that took its time to connect pushes back the ones behind it. It makes up for the first
 * connection after many reused ones; a target that is slow to connect to is not to slow down its followers.
 */
const MAX_LATE_MS = 25;

/**
 * Kept on top of a delay once a use has gone out, and never more than a twentieth of it. Ours: a use that takes longer
 * on its way than the one behind it, as the first one on a cold machine does, would else arrive less than a delay apart.
 */
const MARGIN_MS = 5;

/** A use, as far as waiting goes. */
export type Held = Pick<Acquired, 'ticket' | 'paceKey' | 'startsAtMs' | 'delayMs'>;

interface Waiter {
  readonly held: Held;
  startsAtMs: number;
  readonly start: () => void;
  readonly giveUp: (reason: unknown) => void;
}

/** The uses that wait on one clock. Kept while any waits, and for one delay after the last one went out. */
interface Lane {
  readonly paceKey: string;
  /** In order of their start. */
  waiters: Waiter[];
  notBeforeMs: number;
  timer: NodeJS.Timeout | undefined;
  /** Set while new starts are being asked for. */
  refreshing: boolean;
}

/** Holds uses until their start. Bounded by the requests in flight and by the clocks in use. */
export class WaitingRoom {
  readonly #clock: Clock;
  readonly #store: SessionStore;
  readonly #lanes = new Map<string, Lane>();
  readonly #unsubscribe: () => void;
  #closedBy: GatewayError | undefined;

  constructor({ clock, store }: { readonly clock: Clock; readonly store: SessionStore }) {
    this.#clock = clock;
    this.#store = store;
    this.#unsubscribe = store.subscribe((event) => {
      if (event.type === 'moved') this.#refreshSoon(event.paceKey);
    });
  }

  /** Uses that are waiting. */
  get size(): number {
    let size = 0;
    for (const lane of this.#lanes.values()) size += lane.waiters.length;
    return size;
  }

  /** Whether a use would have to wait now: for its start, or behind others that are late themselves. */
  #mustWait(held: Held): boolean {
    const isBehind = held.delayMs > 0 && (this.#lanes.get(held.paceKey)?.waiters.length ?? 0) > 0;
    return isBehind || this.#dueAtMs(held, held.startsAtMs) > this.#clock.nowMs();
  }

  /**
   * Lets a use go that need not wait.
   *
   * @returns the time, in epoch milliseconds; undefined where it has to `wait`
   * @throws as `wait`
   */
  go(held: Held, signal: GiveUp): number | undefined {
    if (signal.aborted || this.#closedBy !== undefined) throw signal.reason ?? this.#closedBy;
    return this.#mustWait(held) ? undefined : this.#letGo(held);
  }

  /**
   * Resolves when the use may go out, with that time in epoch milliseconds.
   *
   * @throws the signal's reason when that is aborted, the closing error when the room closes
   */
  async wait(held: Held, signal: GiveUp): Promise<number> {
    return this.go(held, signal) ?? this.#queue(held, signal);
  }

  #queue(held: Held, signal: GiveUp): Promise<number> {
    return new Promise((resolve, reject) => {
      const lane = this.#lane(held.paceKey);
      const onAbort = (): void => {
        lane.waiters = lane.waiters.filter((other) => other !== waiter);
        reject(signal.reason);
      };
      const leaveBy = (leave: () => void): void => {
        signal.removeEventListener('abort', onAbort);
        leave();
      };
      const waiter: Waiter = {
        held,
        startsAtMs: held.startsAtMs,
        start: () => leaveBy(() => resolve(this.#letGo(held))),
        giveUp: (reason) => leaveBy(() => reject(reason)),
      };
      signal.addEventListener('abort', onAbort, { once: true });
      lane.waiters.push(waiter);
      this.#arm(lane);
    });
  }

  /**
   * Tells that a use, let go at `wentAtMs`, really goes out now: the next on its clock starts a whole delay later.
   */
  sent(held: Held, wentAtMs: number): void {
    // The clock tells whole milliseconds that have passed; the next one is surely not before this moment.
    const sentAtMs = Math.min(this.#clock.nowMs() + 1, wentAtMs + MAX_LATE_MS);
    this.#keepFree(held, sentAtMs + Math.min(MARGIN_MS, held.delayMs / 20));
  }

  /** Sends everybody away, and whoever comes later. */
  close(reason: GatewayError): void {
    this.#closedBy = reason;
    this.#unsubscribe();
    for (const lane of this.#lanes.values()) {
      clearTimeout(lane.timer);
      for (const waiter of lane.waiters) waiter.giveUp(reason);
    }
    this.#lanes.clear();
  }

  #letGo(held: Held): number {
    const nowMs = this.#clock.nowMs();
    this.#keepFree(held, nowMs);
    return nowMs;
  }

  /** Lets nobody of its clock go before a whole delay after `startedAtMs`, however late that was. */
  #keepFree({ paceKey, delayMs }: Held, startedAtMs: number): void {
    if (delayMs === 0 || this.#closedBy !== undefined) return;
    const lane = this.#lane(paceKey);
    lane.notBeforeMs = Math.max(lane.notBeforeMs, startedAtMs + delayMs);
    this.#arm(lane);
  }

  /** A use that shares its place (no delay of its own) goes with its sharer, however late that one was. */
  #dueAtMs({ paceKey, delayMs }: Held, startsAtMs: number): number {
    if (delayMs === 0) return startsAtMs;
    return Math.max(startsAtMs, this.#lanes.get(paceKey)?.notBeforeMs ?? -Infinity);
  }

  #lane(paceKey: string): Lane {
    const known = this.#lanes.get(paceKey);
    if (known !== undefined) return known;
    const lane: Lane = { paceKey, waiters: [], notBeforeMs: -Infinity, timer: undefined, refreshing: false };
    this.#lanes.set(paceKey, lane);
    return lane;
  }

  #arm(lane: Lane): void {
    clearTimeout(lane.timer);
    const dueMs = lane.waiters.map(({ held, startsAtMs }) => this.#dueAtMs(held, startsAtMs));
    const nextAtMs = dueMs.length === 0 ? lane.notBeforeMs : Math.min(...dueMs);
    lane.timer = setTimeout(() => this.#run(lane), Math.max(0, nextAtMs - this.#clock.nowMs()));
    // The connections of those who wait keep the process alive; a lane that only remembers must not.
    lane.timer.unref();
  }

  #run(lane: Lane): void {
    const nowMs = this.#clock.nowMs();
    const kept: Waiter[] = [];
    // One by one: letting a late one go makes the next one wait for it.
    for (const waiter of lane.waiters.toSorted((a, b) => a.startsAtMs - b.startsAtMs)) {
      if (this.#dueAtMs(waiter.held, waiter.startsAtMs) > nowMs) kept.push(waiter);
      else waiter.start();
    }
    lane.waiters = kept;
    if (lane.waiters.length > 0 || lane.notBeforeMs > nowMs) this.#arm(lane);
    else this.#lanes.delete(lane.paceKey);
  }

  /** Asks for the new starts once, however many gave up in the same moment. */
  #refreshSoon(paceKey: string): void {
    const lane = this.#lanes.get(paceKey);
    if (lane === undefined || lane.refreshing || lane.waiters.length === 0) return;
    lane.refreshing = true;
    setImmediate(() => void this.#refresh(lane));
  }

  async #refresh(lane: Lane): Promise<void> {
    lane.refreshing = false;
    await Promise.allSettled(
      lane.waiters.map(async (waiter) => {
        waiter.startsAtMs = (await this.#store.startsAtMs(waiter.held.ticket)) ?? waiter.startsAtMs;
      }),
    );
    if (this.#lanes.get(lane.paceKey) === lane) this.#arm(lane);
  }
}
