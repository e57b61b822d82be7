// Asks a URL that the user named through upstreams of which nothing is known: those that are down, and those that nobody
// has used for a while. What an answer says of the upstream is found out by the watch on it, as for any request.

import { setMaxListeners } from 'node:events';

import { askThrough } from './ask-url.js';
import type { HealthBook } from './health.js';
import type { Upstream } from './upstream.js';

/** Part of the gap between two probes by which it is made longer at random, so that several gateways don't keep step. */
const SPREAD = 0.25;

/** What a prober depends on. */
export interface ProberOptions {
  readonly url: string;
  /** Whether the certificate of an `https://` one is verified. */
  readonly verify: boolean;
  /** An upstream is asked when nothing was heard of it for this long. */
  readonly intervalMs: number;
  /** Probes in a minute, over all upstreams together. */
  readonly perMinute: number;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Calls something later, and keeps no process alive for it. @returns a function that calls it off */
  readonly later: (run: () => void, delayMs: number) => () => void;
  readonly health: HealthBook;
  /** Those in the list now, as they are watched. */
  readonly upstreams: () => readonly Upstream[];
}

/** Probes one upstream at a time, evenly spread, never more often than its budget allows. `close` it at the end. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #startedAtMs: number;
  readonly #closing = new AbortController();
  /** When each was asked last. */
  readonly #askedAtMs = new WeakMap<Upstream, number>();
  #callOff: () => void;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#startedAtMs = options.nowMs();
    // Each question listens, and there are no more than the budget allows within its time limits.
    setMaxListeners(0, this.#closing.signal);
    this.#callOff = this.#next();
  }

  /** Gives up what is being asked. */
  close(): void {
    this.#callOff();
    this.#closing.abort();
  }

  #next(): () => void {
    const { perMinute, random, later } = this.#options;
    return later(() => this.#tick(), (60_000 / perMinute) * (1 + SPREAD * random()));
  }

  #tick(): void {
    this.#callOff = this.#next();
    const upstream = this.#neediest();
    if (upstream === undefined) return;
    const { url, verify, nowMs } = this.#options;
    this.#askedAtMs.set(upstream, nowMs());
    // Whatever comes of it was reported by the watch on the upstream; here nothing is left to do.
    askThrough(upstream, { url, verify, signal: this.#closing.signal }).catch(() => undefined);
  }

  /** One that is down and may be tried, or else the one that was silent longest. */
  #neediest(): Upstream | undefined {
    let found: Upstream | undefined;
    let silentSinceMs = Infinity;
    for (const upstream of this.#options.upstreams()) {
      const sinceMs = this.#dueSinceMs(upstream);
      if (sinceMs === undefined || sinceMs >= silentSinceMs) continue;
      found = upstream;
      silentSinceMs = sinceMs;
    }
    return found;
  }

  /** The smaller, the needier; undefined where it needs none. */
  #dueSinceMs(upstream: Upstream): number | undefined {
    const { health, nowMs, intervalMs } = this.#options;
    if (!health.isUsable(upstream.id)) return undefined;
    const { state, heardAtMs = this.#startedAtMs } = health.healthOf(upstream.id);
    const sinceMs = Math.max(heardAtMs, this.#askedAtMs.get(upstream) ?? 0);
    if (state !== 'up') return sinceMs - Number.MAX_SAFE_INTEGER;
    return sinceMs + intervalMs <= nowMs() ? sinceMs : undefined;
  }
}
