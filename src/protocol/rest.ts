// The shapes of the JSON API under `/api`. Times are ISO 8601, waits are milliseconds, absent is `null`.

import type { Pacing } from '../sessions/session.js';

/** A session as the API shows it. */
export interface SessionResource {
  readonly id: string;
  readonly name: string | null;
  /** The upstream it is pinned to, by name. */
  readonly upstream: string;
  /** The address targets see. */
  readonly outgoingIp: string;
  readonly country: string | null;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  /** When it ends unless it is used; `null` while a use is held or running. */
  readonly expiresAt: string | null;
  readonly uses: number;
  readonly unbookedUses: number;
  /** Requests and CONNECTs that came in it, those that are no use of their own too. */
  readonly requests: number;
  /** Where its blind tunnels lead or led, at most 64. */
  readonly tunnels: readonly TunnelResource[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly state: 'active' | 'banned';
  readonly nextUseInMs: number;
}

/** Blind tunnels of a session to one target. */
export interface TunnelResource {
  /** `host:port`, an IPv6 address in brackets. */
  readonly target: string;
  /** How many are open, or held until they may be opened. */
  readonly open: number;
  /** Milliseconds since the last one was closed; 0 while one is open. */
  readonly lastOpenMsAgo: number;
}

/** Body of `POST /api/sessions`; every member is optional. */
export interface CreateSessionBody {
  readonly name?: string | undefined;
  readonly country?: string | undefined;
  readonly pacing?: Pacing | undefined;
  readonly bancheck?: boolean | undefined;
  /** Name of the upstream to leave through. */
  readonly pin?: string | undefined;
  /** Where it will be used first: an outgoing IP that is banned there is not chosen. */
  readonly host?: string | undefined;
}

/** A booked start of a session that its client paces: answer of `POST /api/sessions/ID/slots`. */
export interface SlotResource {
  /** Gives it back, before its start. */
  readonly slot: string;
  readonly startsInMs: number;
  /** Wait of the use after this one. */
  readonly nextUseInMs: number;
  readonly outgoingIp: string;
}

/** What a crawler saw at a target: body of `POST /api/sessions/ID/verdicts`. */
export interface VerdictBody {
  readonly host: string;
  /** `banned` keeps the outgoing IP from the domain of that host for a while. */
  readonly verdict: 'good' | 'banned';
}

/** Answer of `GET /api/sessions`; `after` continues the list, `null` ends it. */
export interface SessionList {
  readonly sessions: readonly SessionResource[];
  readonly after: string | null;
}

/** Body of every error of the API. */
export interface ApiErrorBody {
  readonly error: string;
  readonly message: string;
}

/** An upstream as the API shows it: without its credentials. */
export interface UpstreamResource {
  readonly name: string;
  /** The address targets see where it is known, else the upstream's own name. */
  readonly outgoingIp: string;
  readonly country: string | null;
  /** Sessions of this API key that are pinned to it. */
  readonly sessions: number;
}

/** Answer of `GET /api/upstreams`: the ways out, and the delays that a client must reckon with. */
export interface UpstreamList {
  readonly upstreams: readonly UpstreamResource[];
  readonly delays: {
    readonly defaultMs: number;
    readonly scope: 'ip' | 'ip+domain';
    /** Whether domains differ, by a clock or by a delay of their own. */
    readonly perDomain: boolean;
    readonly maxHoldMs: number;
  };
}
