// The sessions of a memory store: found by ID, by name and in order of creation, ended in order of their expiry.
// Books nothing and chooses nothing.

import type { SessionSettings } from '../sessions/settings.js';
import {
  createSession,
  expiresAtMs,
  type Session,
  type SessionGiven,
  type SessionTraits,
} from '../sessions/session.js';
import { DeadlineHeap, type Ending } from './deadline-heap.js';
import { OwnerSessions } from './owner-sessions.js';
import { type KeptPin, type Leaving, Pins } from './pins.js';
import { SessionIndex } from './session-index.js';

/** Expired sessions dropped per call, so that many expiring at once make no pause. */
const DROP_PER_CALL = 256;

/** Sessions put where they belong per call, for the same reason. */
const PUT_RIGHT_PER_CALL = 1024;

/** The rank of a session that is not kept any more; those that are have one above it. */
const GONE = 0;

/** A session with its places in the orders it is kept in. */
export interface KeptSession extends Session, Ending {
  pin: KeptPin;
}

interface MemorySessionsOptions {
  readonly settings: SessionSettings;
  /** Makes session IDs; an ID that lives is not taken twice. */
  readonly newId: () => string;
  readonly onExpired: (session: KeptSession, endedAtMs: number) => void;
}

/** What a session is made of. */
interface Given extends Pick<SessionGiven, 'id' | 'owner' | 'traits' | 'isChosen'> {
  readonly leaving: Leaving;
}

/** Sessions by ID, bounded by `max` per owner. */
export class MemorySessions {
  readonly #options: MemorySessionsOptions;
  readonly #byId = new SessionIndex<KeptSession>();
  readonly #byOwner = new Map<string, OwnerSessions<KeptSession>>();
  readonly #byExpiry = new DeadlineHeap<KeptSession>();
  readonly pins = new Pins();
  #lastRank = 0;

  constructor(options: MemorySessionsOptions) {
    this.#options = options;
  }

  /** The living session of that ID, if it is the owner's. */
  find(owner: string, id: string, nowMs: number): KeptSession | undefined {
    const session = this.findById(id, nowMs);
    return session?.owner === owner ? session : undefined;
  }

  /** The living session of that ID, whoever owns it. */
  findById(id: string, nowMs: number): KeptSession | undefined {
    const session = this.#byId.get(id);
    return session !== undefined && this.#isAlive(session, nowMs) ? session : undefined;
  }

  /** The owner's living session of that name. */
  findNamed(owner: string, name: string, nowMs: number): KeptSession | undefined {
    const session = this.#byOwner.get(owner)?.named(name);
    return session !== undefined && this.#isAlive(session, nowMs) ? session : undefined;
  }

  /** Whether the owner has as many living sessions as allowed. */
  isFull(owner: string, nowMs: number): boolean {
    const { max } = this.#options.settings;
    if (this.countOf(owner) < max) return false;
    this.dropExpired(nowMs, Infinity);
    return this.countOf(owner) >= max;
  }

  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  /** An ID that no session has. */
  freeId(): string {
    for (;;) {
      const id = this.#options.newId();
      if (!this.#byId.has(id)) return id;
    }
  }

  add({ id, owner, traits, isChosen, leaving }: Given, nowMs: number): KeptSession {
    this.#lastRank += 1;
    const pin = this.pins.take(leaving);
    // Named one by one, here and in what calls this: an object spread into another costs half a use, and memory that
    // stays until the next full collection.
    const made = createSession({ id, owner, traits: traitsOf(traits), isChosen, pin }, nowMs);
    // Not copied: a copy with members of other types is an object of another kind, and a larger one.
    const session = made as KeptSession;
    session.rank = this.#lastRank;
    this.#byId.add(session);
    const owned = this.#byOwner.get(session.owner) ?? new OwnerSessions<KeptSession>();
    this.#byOwner.set(session.owner, owned);
    owned.add(session);
    this.#byExpiry.put(session, this.endOf(session));
    return session;
  }

  /** Lets a session leave from elsewhere. */
  repin(session: KeptSession, leaving: Leaving): void {
    this.pins.drop(session.pin);
    session.pin = this.pins.take(leaving);
  }

  /**
   * Notes that the end of a session is another one. Call it after every change of its uses or slots. Nearly all of them
   * make it later: the session then stays where it was, and is put right when it comes to the top.
   */
  reorder(session: KeptSession): void {
    if (session.rank === GONE) return;
    const endsAtMs = this.endOf(session);
    if (endsAtMs < this.#byExpiry.endOf(session)) this.#byExpiry.put(session, endsAtMs);
  }

  /** When a session ends unless something happens, epoch milliseconds; Infinity for one that is used, or gone. */
  endOf(session: KeptSession): number {
    return session.rank === GONE ? Infinity : expiresAtMs(session, this.#options.settings);
  }

  /** @returns false where it was gone already */
  remove(session: KeptSession): boolean {
    if (session.rank === GONE) return false;
    this.#byId.delete(session.id);
    this.#byExpiry.take(session);
    const owned = this.#byOwner.get(session.owner);
    owned?.delete(session);
    if (owned?.size === 0) this.#byOwner.delete(session.owner);
    this.pins.drop(session.pin);
    session.rank = GONE;
    return true;
  }

  /** The owner's living sessions created after that of rank `after`, oldest first. */
  *after(owner: string, after: number, nowMs: number): Generator<KeptSession> {
    for (const session of this.#byOwner.get(owner)?.after(after) ?? []) {
      if (this.endOf(session) > nowMs) yield session;
    }
  }

  /** The sessions there are, part by part. */
  inParts(): Iterable<readonly KeptSession[]> {
    return this.#byId.inParts();
  }

  /** The rank of the session that was made last. */
  get lastRank(): number {
    return this.#lastRank;
  }

  /** Ends sessions whose time is over, the earliest first, at most `limit` of them. */
  dropExpired(nowMs: number, limit: number = DROP_PER_CALL): void {
    let putRight = 0;
    for (let dropped = 0; dropped < limit;) {
      const session = this.#byExpiry.first();
      if (session === undefined || this.#byExpiry.endOf(session) > nowMs) return;
      if (this.#putRight(session)) {
        putRight += 1;
        if (limit === DROP_PER_CALL && putRight === PUT_RIGHT_PER_CALL) return;
      } else {
        dropped += 1;
        this.#expire(session);
      }
    }
  }

  /** @returns whether its place was that of an earlier end */
  #putRight(session: KeptSession): boolean {
    const endsAtMs = this.endOf(session);
    if (endsAtMs === this.#byExpiry.endOf(session)) return false;
    if (endsAtMs === Infinity) this.#byExpiry.take(session);
    else this.#byExpiry.put(session, endsAtMs);
    return true;
  }

  #isAlive(session: KeptSession, nowMs: number): boolean {
    if (this.endOf(session) > nowMs) return true;
    this.#expire(session);
    return false;
  }

  #expire(session: KeptSession): void {
    const endedAtMs = this.endOf(session);
    if (this.remove(session)) this.#options.onExpired(session, endedAtMs);
  }
}

const NO_TRAITS: SessionTraits = {};

/** One object for all sessions that were given none. */
function traitsOf(traits: SessionTraits): SessionTraits {
  for (const name in traits) if (traits[name as keyof SessionTraits] !== undefined) return traits;
  return NO_TRAITS;
}
