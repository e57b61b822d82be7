// The delay model of one clock: when may the next use start, is it held or refused, and who moves up when a held
// use is given up. Decides on values only: the time is handed in, and nobody is made to wait here.
//
// A use is admitted at `nextFreeAtMs` and moves that by its own delay. A calculated delay past `maxHoldMs` is
// refused, past `softLimitMs` it is told to the client until the clock has drained.

import type { DelaySettings } from './settings.js';

/** A booked start on a clock. `startsAtMs` moves to an earlier time when a place before it is given up. */
export interface Place {
  startsAtMs: number;
  /** Requests that share it: one, or a tunnel and the probe that went before it. */
  sharers: number;
  /** The gap kept behind this place, in milliseconds. */
  readonly delayMs: number;
}

/** The clock of one outgoing IP, or of one outgoing IP and domain. */
export interface Pace {
  /** Earliest start of the next use, epoch milliseconds; may lie in the past. */
  nextFreeAtMs: number;
  /** The soft limit was reached and the clock has not drained since. */
  latched: boolean;
  /** Places that have not started yet, in order of their start. */
  readonly held: Place[];
}

/** What a request for a place got. `nextRequestInMs` is the calculated delay where the client is to be told. */
export type PaceAnswer =
  | { readonly place: Place; readonly waitMs: number; readonly nextRequestInMs: number | undefined }
  | { readonly place: undefined; readonly waitMs: number; readonly nextRequestInMs: number | undefined };

type PaceLimits = Pick<DelaySettings, 'softLimitMs' | 'maxHoldMs' | 'hardLimitMs' | 'refusedRaise'>;

/** Makes the clock of an outgoing IP that was not used yet. */
export function createPace(): Pace {
  return { nextFreeAtMs: -Infinity, latched: false, held: [] };
}

/**
 * Books the next place on a clock, or refuses where the wait would pass `maxHoldMs`; changes `pace` in place.
 *
 * @param request `nowMs` in epoch milliseconds, `delayMs` the gap the target asks for
 * @returns the place and the calculated delay in milliseconds, which is never above `hardLimitMs`; 0 means start now
 * @see https://docs.zyte.com/smart-proxy-manager/sessions.html "Session Limits"
 */
export function bookPlace(
  pace: Pace,
  { nowMs, delayMs }: { readonly nowMs: number; readonly delayMs: number },
  limits: PaceLimits,
): PaceAnswer {
  dropStarted(pace, nowMs);
  const waitMs = Math.max(0, pace.nextFreeAtMs - nowMs);
  if (waitMs === 0) pace.latched = false;
  if (waitMs >= limits.softLimitMs) pace.latched = true;
  // Ours: a single delay longer than `hardLimitMs - maxHoldMs` can put the next start past the hard limit. The gap
  // is kept all the same; only the number told is capped.
  const toldMs = Math.min(waitMs, limits.hardLimitMs);
  const nextRequestInMs = pace.latched ? toldMs : undefined;
  if (waitMs > limits.maxHoldMs) {
    if (limits.refusedRaise) raise(pace, nowMs, delayMs, limits.hardLimitMs);
    return { place: undefined, waitMs: toldMs, nextRequestInMs };
  }
  const place = { startsAtMs: nowMs + waitMs, sharers: 1, delayMs };
  pace.nextFreeAtMs = place.startsAtMs + delayMs;
  if (waitMs > 0) pace.held.push(place);
  return { place, waitMs, nextRequestInMs };
}

/**
 * Gives up one share of a place. If it was the last one and the place has not started, the places behind it, and the
 * clock, move up by its delay.
 *
 * @returns whether others moved up; a place that has started stays booked, for the target has seen its use
 */
export function cancelPlace(pace: Pace, place: Place, nowMs: number): boolean {
  dropStarted(pace, nowMs);
  place.sharers -= 1;
  const index = pace.held.indexOf(place);
  if (index === -1 || place.sharers > 0) return false;
  pace.held.splice(index, 1);
  for (const follower of pace.held.slice(index)) follower.startsAtMs -= place.delayMs;
  pace.nextFreeAtMs -= place.delayMs;
  return true;
}

/** Moves a clock for a use that is not held, so that the ones behind it keep their distance. */
export function moveClock(pace: Pace, { nowMs, delayMs }: { readonly nowMs: number; readonly delayMs: number }): void {
  pace.nextFreeAtMs = Math.max(nowMs, pace.nextFreeAtMs) + delayMs;
}

/**
 * Keeps a clock from being free before another one is: what went out by that one came from the same address.
 * The places that wait keep their starts, and nobody moves up any more when one of them is given up: the room it
 * leaves may lie beside a place of the other clock.
 */
export function followClock(pace: Pace, nextFreeAtMs: number): void {
  if (pace.nextFreeAtMs >= nextFreeAtMs) return;
  pace.nextFreeAtMs = nextFreeAtMs;
  pace.held.length = 0;
}

/** Whether a clock is as good as new: nothing is held, and the next use would start at once. */
export function isDrained(pace: Pace, nowMs: number): boolean {
  return pace.nextFreeAtMs <= nowMs;
}

function raise(pace: Pace, nowMs: number, delayMs: number, hardLimitMs: number): void {
  const raised = Math.min(pace.nextFreeAtMs + delayMs, nowMs + hardLimitMs);
  pace.nextFreeAtMs = Math.max(pace.nextFreeAtMs, raised);
}

function dropStarted(pace: Pace, nowMs: number): void {
  let started = 0;
  while (started < pace.held.length && (pace.held[started] as Place).startsAtMs <= nowMs) started += 1;
  if (started > 0) pace.held.splice(0, started);
}
