// The shapes of the JSON API under `/api`. Times are ISO 8601, waits are milliseconds, absent is `null`.

import type { ErrorCode } from '../sessions/errors.js';
import type { OnUpstreamLoss } from '../sessions/loss.js';
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
  /** The last request or CONNECT of it that the gateway answered with an error of its own; `null` where there was none. */
  readonly lastRefusal: RefusalResource | null;
}

/** What a session was refused: the reason that a client is not shown when it opens a tunnel. */
export interface RefusalResource {
  /** As in `X-Crawlera-Error`. */
  readonly code: ErrorCode;
  /** Where the request was to go. */
  readonly host: string;
  readonly at: string;
  /** Milliseconds since then: the clock of whoever asks may go wrong. */
  readonly msAgo: number;
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
  /** What becomes of it when it loses its upstream. @default the gateway's `sessions.onUpstreamLoss` */
  readonly onUpstreamLoss?: OnUpstreamLoss | undefined;
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
  /** Whether it works, as far as the gateway knows; one of an earlier version doesn't tell. */
  readonly health?: HealthResource | undefined;
  /** Its share beside the others. This and what follows isn't told by a gateway of an earlier version. */
  readonly weight?: number | undefined;
  /** Where it has many outgoing IPs: how many of them the sessions of this API key have; else `null`. */
  readonly exits?: number | null | undefined;
  /** What this API key has sent through it since the gateway was started. */
  readonly uses?: number | undefined;
  readonly bans?: number | undefined;
  readonly bytesIn?: number | undefined;
  readonly bytesOut?: number | undefined;
  /** Times that a session of this API key was found to have another outgoing IP than it was known to have. */
  readonly ipChanges?: number | undefined;
}

/** How an upstream is. */
export interface HealthResource {
  /** `trial`: it was down, and its next use decides. */
  readonly state: 'up' | 'down' | 'trial';
  /** The last failure that was its own, while it is not up. */
  readonly message: string | null;
  /** Milliseconds until it is tried again; 0 for one that is up. */
  readonly retryAfterMs: number;
}

/** Answer of `GET /api/explain?session=ID&host=HOST`: what the next use of a session to that host would come to. */
export interface Explanation {
  readonly session: string;
  readonly host: string;
  /** By name. */
  readonly upstream: string;
  readonly outgoingIp: string;
  readonly waitMs: number;
  /** Whole sentences: why this upstream, why this wait, and what stands in the way. */
  readonly reasons: readonly string[];
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
