// Which CONNECTs of a session are one use. Crawlee's HTTP client opens a first tunnel to a host only to ask which
// protocols it speaks, then a second one for the request: both are one use, and both start at the same time.

import type { Place } from './pace.js';

/** The second CONNECT to a host and port joins the first if it comes within this time of its start. */
export const JOIN_WITHIN_MS = 10_000;

/** Hosts and ports remembered per session. A forgotten one may be joined once more, which costs one use's delay. */
export const MAX_TUNNEL_TARGETS = 256;

/** Per host and port: the place of the first CONNECT while it may still be joined, `null` when that is over. */
export type TunnelUses = Map<string, Place | null>;

/**
 * Shares the place of the first CONNECT with the second one of the session to that host and port, if it is in time.
 * In time or not, the pair is spent: it is joined at most once.
 */
export function joinTunnel(uses: TunnelUses | undefined, authority: string, nowMs: number): Place | undefined {
  const first = uses?.get(authority);
  if (uses === undefined || first === undefined || first === null) return undefined;
  uses.set(authority, null);
  if (nowMs - first.startsAtMs > JOIN_WITHIN_MS) return undefined;
  first.sharers += 1;
  return first;
}

/** Remembers the first CONNECT of a session to a host and port; later ones change nothing. */
export function noteTunnel(uses: TunnelUses, authority: string, place: Place): void {
  if (uses.has(authority)) return;
  if (uses.size >= MAX_TUNNEL_TARGETS) uses.delete(uses.keys().next().value as string);
  uses.set(authority, place);
}

/** Forgets a first CONNECT that was given up before its start, so that the next one is first again. */
export function forgetTunnel(uses: TunnelUses | undefined, authority: string, place: Place): void {
  if (uses?.get(authority) === place) uses.delete(authority);
}
