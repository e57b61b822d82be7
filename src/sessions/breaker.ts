// When an upstream that fails is left alone, for how long, and how it comes back. Which failures are its own is decided
// elsewhere; time and randomness come in as parameters.

/** The numbers of a breaker. */
export interface BreakerSettings {
  /** It opens when the failures in a row weigh this much. */
  readonly limit: number;
  /** The first pause, in milliseconds; each one that follows without a success between is twice as long. */
  readonly firstPauseMs: number;
  /** Pauses grow no longer, in milliseconds, before they are spread. */
  readonly maxPauseMs: number;
  /** Part of a pause by which it is made shorter or longer at random, so that many upstreams don't return at once. */
  readonly spread: number;
}

/**
 * What a failure weighs.
 *
 * Ours: five soft ones in a row, or three hard ones, open the breaker. So who has a single upstream is not shut out by a
 * hiccup or two; a proxy that refuses connections or credentials says clearly that it won't serve, so fewer do.
 */
export const WEIGHT = { soft: 3, hard: 5 } as const;

/** Ours: short enough for a restart of a proxy to pass nearly unseen, and at most a try each two minutes for a dead one. */
export const BREAKER_SETTINGS: BreakerSettings = {
  limit: 15,
  firstPauseMs: 1_000,
  maxPauseMs: 120_000,
  spread: 0.25,
};

/** What is kept of one upstream. */
export interface Breaker {
  /** `closed`: in use. `open`: left alone. `trial`: one use is let through, whose outcome decides. */
  readonly phase: 'closed' | 'open' | 'trial';
  /** What the failures in a row weigh; while closed. */
  readonly weight: number;
  /** How often it has opened since the last success. */
  readonly openings: number;
  /** When a trial may be made, epoch milliseconds; 0 while closed. */
  readonly retryAtMs: number;
}

/** A failure that is the upstream's. */
export interface BreakerFailure {
  readonly weight: number;
  /** Whether the upstream gave no clear sign of its state, so that a pause after a trial is not made longer. */
  readonly isDoubt: boolean;
  readonly nowMs: number;
  /** From 0 to below 1. */
  readonly random: number;
}

/** The breaker of an upstream that nothing is known of, or that has just served. */
export const CLOSED: Breaker = { phase: 'closed', weight: 0, openings: 0, retryAtMs: 0 };

/** Whether a use may go out: like any other, as the one trial, or not now. */
export function admit({ phase, retryAtMs }: Breaker, nowMs: number): 'freely' | 'as trial' | 'not now' {
  if (phase === 'closed') return 'freely';
  return phase === 'open' && nowMs >= retryAtMs ? 'as trial' : 'not now';
}

/** Lets the one use through. */
export function beginTrial(breaker: Breaker): Breaker {
  return { ...breaker, phase: 'trial' };
}

/** Ends a trial of which nothing was learned, because its client left for one: the next use is the trial. */
export function abandonTrial(breaker: Breaker, nowMs: number): Breaker {
  return breaker.phase === 'trial' ? { ...breaker, phase: 'open', retryAtMs: nowMs } : breaker;
}

/** Counts a failure. While open nothing counts: those are uses that had begun before. */
export function countFailure(breaker: Breaker, failure: BreakerFailure, settings: BreakerSettings): Breaker {
  if (breaker.phase === 'open') return breaker;
  const weight = breaker.weight + failure.weight;
  if (breaker.phase === 'closed' && weight < settings.limit) return { ...breaker, weight };
  const openings = breaker.phase === 'trial' && failure.isDoubt ? breaker.openings : breaker.openings + 1;
  return { phase: 'open', weight: 0, openings, retryAtMs: failure.nowMs + pauseMs(openings, failure.random, settings) };
}

/** Milliseconds to wait before asking again; 0 where a use may go out now. */
export function retryAfterMs(breaker: Breaker, nowMs: number, settings: BreakerSettings): number {
  if (breaker.phase === 'closed') return 0;
  // How long a trial takes is not known; one like the first pause is time enough for most.
  return breaker.phase === 'trial' ? settings.firstPauseMs : Math.max(0, breaker.retryAtMs - nowMs);
}

/** The pause after the n-th opening in a row, in whole milliseconds. */
function pauseMs(openings: number, random: number, { firstPauseMs, maxPauseMs, spread }: BreakerSettings): number {
  const plain = Math.min(maxPauseMs, firstPauseMs * 2 ** (openings - 1));
  return Math.round(plain * (1 + spread * (2 * random - 1)));
}
