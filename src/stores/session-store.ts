// The port behind which sessions live. A use is acquired in one atomic step; what the caller gets is a ticket and a
// start time, and the caller waits. No operation takes a time: a store is created with its clock.

import type { SessionRef, SessionTraits } from '../sessions/session.js';
import type { PlaceName } from '../sessions/choice.js';
import type { TargetName } from '../sessions/pace-key.js';
import type { Outlook, SessionView } from './session-view.js';
import type { StoreEvent } from './store-event.js';

export type { Outlook, SessionView } from './session-view.js';
export type { EndReason, StoreEvent } from './store-event.js';

/** A usable upstream. Health is settled before; a store chooses among these, by the place that is asked for. */
export interface UpstreamChoice extends PlaceName {
  readonly id: string;
  /** The address targets see. Upstreams that share one share its clock. */
  readonly outgoingIp: string;
  /** Its share of sessions and requests, beside those of the others; above 0. @default 1 */
  readonly weight?: number | undefined;
  /**
   * Set where it stands for many outgoing IPs: draws the exit of a seed, always the same one for the same seed, and the
   * address targets see, or a word of the exit's own.
   */
  readonly draw?: ((seed: string) => Exit) | undefined;
}

/** One of the outgoing IPs of an upstream that has many. */
export interface Exit {
  readonly exit: string;
  readonly outgoingIp: string;
}

/** An outgoing IP that has become known. */
export interface LearnedIp {
  readonly upstreamId: string;
  /** Set: it is that of this exit alone. */
  readonly exit: string | undefined;
  readonly outgoingIp: string;
  /** Whether a session whose known outgoing IP has changed is told so, or ends. */
  readonly policy: 'tell' | 'end';
}

/** What is asked of `acquire`. */
export interface AcquireRequest {
  /** Names the API key; never the key itself. */
  readonly owner: string;
  /** Undefined: a request without a session, which takes the upstream that is free first. */
  readonly session: SessionRef | undefined;
  /** Given to a session that this use creates; one that is there already keeps its own. */
  readonly traits: SessionTraits;
  readonly target: TargetName;
  /** `host:port` of a blind CONNECT, whose second one may belong to the use of the first. */
  readonly tunnel: string | undefined;
  readonly upstreams: readonly UpstreamChoice[];
  /** Of these, upstreams that a request without a session is not to leave by. */
  readonly except?: ReadonlySet<string> | undefined;
  readonly facts?: UpstreamFacts | undefined;
}

/** What is known of upstreams that are not usable. Where nobody knows, one that is not usable is gone. */
export interface UpstreamFacts {
  /** Whether an upstream is in the list, usable or not. */
  isListed(id: string): boolean;
  /** When one that is down is tried again, in milliseconds from now. */
  retryAfterMs(id: string): number;
  /** When the first of those in a place that are down is tried again; undefined where none there is down. */
  firstRetryMs(asked: PlaceName): number | undefined;
}

/** A booked use. Settle it with `release`, or give it back with `cancel` before its start. */
export interface Acquired {
  readonly ok: true;
  readonly ticket: string;
  /** Names the clock the use is on; `moved` events speak of it. */
  readonly paceKey: string;
  /** Epoch milliseconds; may become earlier (`moved`), never later. */
  readonly startsAtMs: number;
  /** The calculated delay, in milliseconds. */
  readonly waitMs: number;
  /** The gap kept behind this use, in milliseconds; 0 where it shares or needs no place on the clock. */
  readonly delayMs: number;
  /** The calculated delay where the client is to be told it. */
  readonly nextRequestInMs: number | undefined;
  readonly upstreamId: string;
  /** The one of its exits to leave through, where it has several. */
  readonly exit: string | undefined;
  readonly outgoingIp: string;
  readonly session: AcquiredSession | undefined;
}

/** The session of a use. */
export interface AcquiredSession {
  readonly id: string;
  readonly created: boolean;
  /** Whether its answers are judged by the ban rules. */
  readonly bancheck: boolean;
  /** The outgoing IP that its client takes it to have, where it has another one by now; told once. */
  readonly formerIp: string | undefined;
}

/** Why a store said no; the words are the protocol's own. */
export type RefusalCode = 'bad_session_id' | 'user_session_limit' | 'noslaves' | 'serverbusy' | 'banned';

/** A use, slot or session that was not granted; nothing was booked or created. */
export interface Refused {
  readonly ok: false;
  readonly code: RefusalCode;
  /** When to try again, in milliseconds from now, where that is known. */
  readonly retryAfterMs: number | undefined;
  readonly nextRequestInMs: number | undefined;
}

/**
 * How a use ended. `failed`: nothing came back, so a session none of whose uses had an answer yet is not kept. `banned`:
 * the target has banned the outgoing IP, which is kept from that site for a while; a session is not used again, and one
 * that had no answer yet is not kept. `retried`: as failed, but the same request is about to use its session again.
 */
export interface UseOutcome {
  readonly result: 'answered' | 'failed' | 'banned' | 'retried';
  /** Bytes from the client to the target, and from the target to the client. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/** What is asked of `create`. A name that lives is answered with its session. */
export interface CreateRequest {
  readonly owner: string;
  readonly traits: SessionTraits;
  /** Where it will be used first: an outgoing IP that is banned there is not chosen. */
  readonly target?: TargetName | undefined;
  readonly upstreams: readonly UpstreamChoice[];
  readonly facts?: UpstreamFacts | undefined;
}

/** What `create` made, or found by name. */
export interface Created {
  readonly ok: true;
  readonly created: boolean;
  readonly session: SessionView;
}

/** What is asked of `list`; `after` is that of the page before. */
export interface ListRequest {
  readonly owner: string;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** What is asked of `book`. */
export interface BookRequest {
  readonly owner: string;
  readonly sessionId: string;
  readonly target: TargetName;
  readonly upstreams: readonly UpstreamChoice[];
  readonly facts?: UpstreamFacts | undefined;
}

/** A slot: `ticket` gives it back through `cancel` while it has not started. */
export interface Booked {
  readonly ok: true;
  readonly ticket: string;
  readonly startsInMs: number;
  /** Wait of the use after this one, in milliseconds. */
  readonly nextUseInMs: number;
  readonly outgoingIp: string;
}

/** What a crawler saw at a target. */
export interface Verdict {
  readonly owner: string;
  readonly sessionId: string;
  readonly site: string;
  readonly verdict: 'good' | 'banned';
}

/** Where sessions live. `create` and `book` resolve when what they promise would survive in that store. */
export interface SessionStore {
  /** Looks up or creates the session, renews it, chooses the upstream and books the start, in one atomic step. */
  acquire(request: AcquireRequest): Promise<Acquired | Refused>;
  /** The start of a ticket as it stands now, epoch milliseconds; undefined for a ticket that has ended. */
  startsAtMs(ticket: string): Promise<number | undefined>;
  /** Whether a ban that came while a use was held forbids it by now. @returns the refusal, if one does */
  refusalOf(ticket: string): Promise<Refused | undefined>;
  /** Settles a use that has started. A ticket is settled once; later calls change nothing. */
  release(ticket: string, outcome: UseOutcome): Promise<void>;
  /** Gives back a use or slot; followers move up. @returns false where it had started, which settles it as a use, or ended */
  cancel(ticket: string): Promise<boolean>;
  /** Books the next use of a session whose client paces itself. */
  book(request: BookRequest): Promise<Booked | Refused>;
  /** Notes what a crawler saw; `banned` cools that outgoing IP for that site. @returns false for an unknown session */
  reportVerdict(verdict: Verdict): Promise<boolean>;
  /** Notes the outgoing IP of an upstream, or of one of its exits: sessions and clocks move to it. */
  learnOutgoingIp(learned: LearnedIp): Promise<void>;
  create(request: CreateRequest): Promise<Created | Refused>;
  get(owner: string, id: string): Promise<SessionView | undefined>;
  /** What the next use of a session would come to; books nothing and renews nothing. */
  outlook(owner: string, id: string, target: TargetName): Promise<Outlook | undefined>;
  /** Ends a session. @returns false where there was none */
  remove(owner: string, id: string): Promise<boolean>;
  /** A page of the owner's sessions in order of creation. @returns `after` where more follow */
  list(request: ListRequest): Promise<SessionPage>;
  /** @returns a function that ends the subscription */
  subscribe(listener: (event: StoreEvent) => void): () => void;
  close(): Promise<void>;
}

/** A page of sessions; `after` continues it. */
export interface SessionPage {
  readonly sessions: readonly SessionView[];
  readonly after: string | undefined;
}
