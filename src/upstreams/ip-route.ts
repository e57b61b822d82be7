// When a way out is to be asked again which address targets see: pure, for one route, which is an upstream or one of its
// exits.

import { stickyEndsAtMs } from '../sessions/sticky-life.js';
import type { Upstream } from './upstream.js';

/** The first pause after a failure, in milliseconds; each one that follows is twice as long. */
const FIRST_PAUSE_MS = 10_000;
const MAX_PAUSE_MS = 600_000;

/** How long before a sticky session would be forgotten it is used again, at most, in milliseconds. */
const MAX_MARGIN_MS = 30_000;

/** How long an upstream that tells its outgoing IP by itself is waited for, in milliseconds. */
const TELLS_WITHIN_MS = 30_000;

/** What is known of one way out. Times are epoch milliseconds. */
export interface IpRoute {
  readonly upstreamId: string;
  readonly exit: string | undefined;
  /** Undefined: not known yet. */
  outgoingIp: string | undefined;
  /** Since when the vendor has had this sticky session. */
  firstUsedAtMs: number;
  /** Uses by sessions, and those made to ask. */
  lastUsedAtMs: number;
  /** By a session. */
  sessionUsedAtMs: number;
  failures: number;
  failedAtMs: number;
  isAsking: boolean;
}

/** Creates the route of an upstream or exit that is now used for the first time. */
export function createRoute(upstreamId: string, exit: string | undefined, nowMs: number): IpRoute {
  const usedAtMs = { firstUsedAtMs: nowMs, lastUsedAtMs: nowMs, sessionUsedAtMs: nowMs };
  return { upstreamId, exit, outgoingIp: undefined, ...usedAtMs, failures: 0, failedAtMs: 0, isAsking: false };
}

/**
 * Tells when the route is to be asked.
 *
 * @param sessionTtlMs how long a session outlives its last use; an exit that none uses any more is left to be forgotten
 * @returns epoch milliseconds, Infinity for not any more
 */
export function asksAtMs(route: IpRoute, upstream: Upstream, sessionTtlMs: number): number {
  const { exit, failures, failedAtMs } = route;
  const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  const atMs = failures > 0 ? failedAtMs + pauseMs : dueAtMs(route, upstream);
  const isWanted = exit === undefined || atMs < route.sessionUsedAtMs + sessionTtlMs;
  return isWanted ? atMs : Infinity;
}

function dueAtMs(route: IpRoute, upstream: Upstream): number {
  const { stickyMs, stickyIdleMs, countsFrom = 'use', tellsOutgoingIp } = upstream;
  const { outgoingIp, exit, firstUsedAtMs } = route;
  // What a proxy tells in its answers needs no asking, where it really does.
  if (outgoingIp === undefined) return firstUsedAtMs + (tellsOutgoingIp === undefined ? 0 : TELLS_WITHIN_MS);
  if (exit === undefined || stickyMs === undefined) return Infinity;
  const endsAtMs = stickyEndsAtMs({ stickyMs, countsFrom, stickyIdleMs }, route);
  // From its creation on it ends whatever is done; asked then, it is known by which IP it goes on.
  const isFixed = countsFrom === 'creation' && endsAtMs === firstUsedAtMs + stickyMs;
  const lastsMs = Math.min(stickyMs, stickyIdleMs ?? Infinity);
  return isFixed ? endsAtMs : endsAtMs - Math.min(MAX_MARGIN_MS, lastsMs / 5);
}

/** Notes a use; what was forgotten by now begins anew, and under an IP that is not known. */
export function noteRouteUse(
  route: IpRoute,
  { stickyMs, stickyIdleMs, countsFrom = 'use' }: Upstream,
  nowMs: number,
): void {
  if (stickyMs !== undefined && nowMs >= stickyEndsAtMs({ stickyMs, countsFrom, stickyIdleMs }, route)) {
    route.firstUsedAtMs = nowMs;
  }
  route.lastUsedAtMs = nowMs;
}
