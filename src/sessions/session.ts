// The life of a session: what it is, when it ends, and whether a use of it is paced by us or by its client.
// Times are handed in; where sessions are kept, and who asks, is not known here.

import type { OnUpstreamLoss } from './loss.js';
import type { Place } from './pace.js';
import type { SessionTunnel } from './session-tunnels.js';
import type { SessionSettings } from './settings.js';
import type { TunnelUses } from './tunnel-use.js';

/** Who keeps the distance between uses: the gateway by holding them, or the client by booking slots. */
export type Pacing = 'gateway' | 'client';

/**
 * Which session a use asks for: a new one, one by its ID, get-or-create by name, or get-or-create by an ID that its
 * client chose.
 */
export type SessionRef =
  | { readonly kind: 'create' }
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'chosen'; readonly id: string };

/** What a new session is given, besides its ID and its pin. */
export interface SessionTraits {
  readonly name?: string | undefined;
  /** ISO 3166 code, lower case, the session was asked to leave from. */
  readonly country?: string | undefined;
  /** State and city it was asked to leave from, lower case. */
  readonly state?: string | undefined;
  readonly city?: string | undefined;
  readonly pacing?: Pacing | undefined;
  /** Whether answers are judged by the ban rules. @default true */
  readonly bancheck?: boolean | undefined;
  /** What is done when it loses its upstream. @default that of the settings */
  readonly onUpstreamLoss?: OnUpstreamLoss | undefined;
}

/** Where sessions leave from: an upstream, or one exit of it. */
export interface SessionPin {
  readonly upstreamId: string;
  readonly exit: string | undefined;
  /** The address targets see, or `word` where it is not known. */
  readonly outgoingIp: string;
  /** What stands for the address while it is not known. */
  readonly word: string;
}

/** A start that a client booked for its session. */
export interface Slot {
  readonly id: string;
  /** Whose clock it is on. */
  readonly clock: { readonly outgoingIp: string; readonly site: string };
  readonly place: Place;
}

/** A session as a store keeps it. */
export interface Session {
  readonly id: string;
  /** Names the API key it belongs to; never the key itself. */
  readonly owner: string;
  /** One object for all sessions that leave from there, so that what is learned of it is known to each. */
  pin: SessionPin;
  readonly traits: SessionTraits;
  readonly createdAtMs: number;
  /** Start of the last use, or the creation. */
  lastUsedAtMs: number;
  uses: number;
  unbookedUses: number;
  /** Requests and CONNECTs that came in it, those that are no use of their own too. */
  requests: number;
  bytesIn: number;
  bytesOut: number;
  /** Whether its client chose its ID, which gives it a shorter life. */
  readonly isChosen: boolean;
  /** Whether it stays when a use of it gets no answer: one had an answer, or it was not made for a use at all. */
  isKept: boolean;
  /** Whether a target has banned its outgoing IP in one of its uses; it is not used again. */
  isBanned: boolean;
  /** Uses held or running; a session with any does not end. */
  openUses: number;
  /** Where its last use went, so that "when may I go on" can be answered. */
  lastSite: string | undefined;
  /** The outgoing IP that its client still takes it to have. */
  toldIp: string | undefined;
  /** Booked slots that have not started or still cover requests; undefined where none was ever booked. */
  slots: Slot[] | undefined;
  tunnelUses: TunnelUses | undefined;
  /** Where its blind tunnels lead; undefined where there was none. */
  tunnels: SessionTunnel[] | undefined;
  /** Its places in the orders that a store keeps, and the store's own; rank 0: it is in no store. */
  rank: number;
  heapIndex: number;
}

/** How long a started slot covers the requests of its session, in milliseconds. */
export const SLOT_COVERS_MS = 120_000;

/** What a session is made of. */
export type SessionGiven = Pick<Session, 'id' | 'owner' | 'pin' | 'traits' | 'isChosen'>;

/** Makes a session that was not used yet. */
export function createSession(given: SessionGiven, nowMs: number): Session {
  return new SessionRecord(given, nowMs);
}

/** What hardly any session has. */
type Rarities = Pick<Session, 'unbookedUses' | 'toldIp' | 'slots' | 'tunnelUses' | 'tunnels'>;

/**
 * There may be a million, so it has members of its own for what every session has, all of them from the start: an object
 * that is given members later takes half as much memory again. The rest stands in an object that is made when it is set.
 */
class SessionRecord implements Session {
  readonly id: string;
  readonly owner: string;
  pin: SessionPin;
  readonly traits: SessionTraits;
  readonly isChosen: boolean;
  isKept = false;
  isBanned = false;
  readonly createdAtMs: number;
  lastUsedAtMs: number;
  uses = 0;
  requests = 0;
  bytesIn = 0;
  bytesOut = 0;
  openUses = 0;
  lastSite: string | undefined = undefined;
  rank = 0;
  heapIndex = -1;
  #rarities: Rarities | undefined = undefined;

  constructor({ id, owner, pin, traits, isChosen }: SessionGiven, nowMs: number) {
    this.id = id;
    this.owner = owner;
    this.pin = pin;
    this.traits = traits;
    this.isChosen = isChosen;
    this.createdAtMs = nowMs;
    this.lastUsedAtMs = nowMs;
  }

  get unbookedUses(): number {
    return this.#rarities?.unbookedUses ?? 0;
  }

  set unbookedUses(uses: number) {
    if (this.#rarities !== undefined || uses !== 0) this.#rare().unbookedUses = uses;
  }

  get toldIp(): string | undefined {
    return this.#rarities?.toldIp;
  }

  set toldIp(ip: string | undefined) {
    if (this.#rarities !== undefined || ip !== undefined) this.#rare().toldIp = ip;
  }

  get slots(): Slot[] | undefined {
    return this.#rarities?.slots;
  }

  set slots(slots: Slot[] | undefined) {
    if (this.#rarities !== undefined || slots !== undefined) this.#rare().slots = slots;
  }

  get tunnelUses(): TunnelUses | undefined {
    return this.#rarities?.tunnelUses;
  }

  set tunnelUses(uses: TunnelUses | undefined) {
    if (this.#rarities !== undefined || uses !== undefined) this.#rare().tunnelUses = uses;
  }

  get tunnels(): SessionTunnel[] | undefined {
    return this.#rarities?.tunnels;
  }

  set tunnels(tunnels: SessionTunnel[] | undefined) {
    if (this.#rarities !== undefined || tunnels !== undefined) this.#rare().tunnels = tunnels;
  }

  #rare(): Rarities {
    return (this.#rarities ??= {
      unbookedUses: 0,
      toldIp: undefined,
      slots: undefined,
      tunnelUses: undefined,
      tunnels: undefined,
    });
  }
}

/**
 * When a session ends if nothing more happens, epoch milliseconds: `ttlMs` after its last use, a booked slot
 * counting as one; never while a use is held or running. One whose ID its client chose has a whole life besides.
 *
 * @see https://docs.zyte.com/smart-proxy-manager/sessions.html "Session Limits"
 */
export function expiresAtMs(session: Session, { ttlMs, chosen }: Pick<SessionSettings, 'ttlMs' | 'chosen'>): number {
  if (session.openUses > 0) return Infinity;
  let lastUseMs = session.lastUsedAtMs;
  for (const { place } of session.slots ?? []) lastUseMs = Math.max(lastUseMs, place.startsAtMs);
  return session.isChosen
    ? Math.min(session.createdAtMs + chosen.lifeMs, lastUseMs + chosen.idleMs)
    : lastUseMs + ttlMs;
}

/** Keeps a session alive until `settleRequest`, for a request that is held or running. */
export function openRequest(session: Session, site: string): void {
  session.openUses += 1;
  session.lastSite = site;
}

/** Ends a request. One that was sent at `sentAtMs` is the last use if none came later; undefined: never sent. */
export function settleRequest(session: Session, sentAtMs: number | undefined): void {
  session.openUses -= 1;
  if (sentAtMs !== undefined) session.lastUsedAtMs = Math.max(session.lastUsedAtMs, sentAtMs);
}

/** Whether a slot of this session started within the last two minutes and so covers a request made now. */
export function isCoveredBySlot(session: Session, nowMs: number): boolean {
  return (session.slots ?? []).some(({ place }) => place.startsAtMs <= nowMs && coversAt(place, nowMs));
}

/** Forgets slots that cover nothing any more; the latest of them was the session's last use. */
export function dropSpentSlots(session: Session, nowMs: number): void {
  const spent = (session.slots ?? []).filter(({ place }) => !coversAt(place, nowMs));
  if (spent.length === 0) return;
  session.lastUsedAtMs = Math.max(session.lastUsedAtMs, ...spent.map(({ place }) => place.startsAtMs));
  session.slots = session.slots?.filter(({ place }) => coversAt(place, nowMs));
}

function coversAt(place: Place, nowMs: number): boolean {
  return nowMs - place.startsAtMs <= SLOT_COVERS_MS;
}
