// How a session is shown to those outside a store. Part of the port, `session-store.ts`, by which it is imported.

import type { SessionTraits } from '../sessions/session.js';

/** A session as it is shown. Times are epoch milliseconds. */
export interface SessionView {
  readonly id: string;
  readonly upstreamId: string;
  readonly exit: string | undefined;
  readonly outgoingIp: string;
  readonly traits: SessionTraits;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly expiresAtMs: number;
  readonly uses: number;
  readonly unbookedUses: number;
  /** Requests and CONNECTs that came in it, those that are no use of their own too. */
  readonly requests: number;
  readonly isBanned: boolean;
  /** Where its blind tunnels lead; at most `MAX_SESSION_TUNNELS`. */
  readonly tunnels: readonly TunnelView[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Wait of the next use on the clock it used last, in milliseconds. */
  readonly nextUseInMs: number;
}

/** What the next use of a session would come to. */
export interface Outlook {
  readonly session: SessionView;
  /** How long it would wait for the clock, in milliseconds. */
  readonly waitMs: number;
  /** The gap that the target asks for, in milliseconds. */
  readonly delayMs: number;
  /** How long the outgoing IP is still kept from the target after a ban, in milliseconds. */
  readonly coolMs: number;
}

/** Blind tunnels of a session to one target, open or closed. */
export interface TunnelView {
  /** `host:port`, an IPv6 address in brackets. */
  readonly target: string;
  /** How many are open, or held until they may be opened. */
  readonly open: number;
  /** Milliseconds since the last one was closed; 0 while one is open. */
  readonly lastOpenMsAgo: number;
}
