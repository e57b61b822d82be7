// The sessions of a memory store: found by ID, by name and in order of creation, ended in order of their expiry.
// Books nothing and chooses nothing.

import type { SessionSettings } from '../sessions/settings.js';
import { createSession, expiresAtMs, type Session } from '../sessions/session.js';
import { DeadlineHeap, type Ending } from './deadline-heap.js';
import { OwnerSessions, type Ranked } from './owner-sessions.js';

/** Expired sessions dropped per call, so that many expiring at once make no pause. */
const DROP_PER_CALL = 256;

/** A session with its places in the orders it is kept in. */
export interface KeptSession extends Session, Ending, Ranked {}

interface MemorySessionsOptions {
  readonly settings: SessionSettings;
  /** Makes session IDs; an ID that lives is not taken twice. */
  readonly newId: () => string;
  readonly onExpired: (session: KeptSession) => void;
}

/** Sessions by ID, bounded by `max` per owner. */
export class MemorySessions {
  readonly #options: MemorySessionsOptions;
  readonly #byId = new Map<string, KeptSession>();
  readonly #byOwner = new Map<string, OwnerSessions<KeptSession>>();
  readonly #byExpiry = new DeadlineHeap<KeptSession>();
  /** Sessions per outgoing IP; bounded by the sessions. */
  readonly #pinned = new Map<string, number>();
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

  /** Sessions pinned to an outgoing IP, whoever owns them. */
  pinnedTo(outgoingIp: string): number {
    return this.#pinned.get(outgoingIp) ?? 0;
  }

  add(given: Pick<Session, 'owner' | 'upstreamId' | 'outgoingIp' | 'traits' | 'isChosen'>, nowMs: number): KeptSession {
    this.#lastRank += 1;
    const session: KeptSession = {
      ...createSession({ ...given, id: this.#freeId() }, nowMs),
      rank: this.#lastRank,
      name: given.traits.name,
      endsAtMs: 0,
      heapIndex: -1,
    };
    this.#byId.set(session.id, session);
    const owned = this.#byOwner.get(session.owner) ?? new OwnerSessions<KeptSession>();
    this.#byOwner.set(session.owner, owned);
    owned.add(session);
    this.#pinned.set(session.outgoingIp, this.pinnedTo(session.outgoingIp) + 1);
    this.reorder(session);
    return session;
  }

  /** Puts a session where its present expiry belongs. Call it after every change of its uses or slots. */
  reorder(session: KeptSession): void {
    if (this.#byId.get(session.id) !== session) return;
    const endsAtMs = expiresAtMs(session, this.#options.settings);
    if (endsAtMs === Infinity) this.#byExpiry.take(session);
    else this.#byExpiry.put(session, endsAtMs);
  }

  /** @returns false where it was gone already */
  remove(session: KeptSession): boolean {
    if (this.#byId.get(session.id) !== session) return false;
    this.#byId.delete(session.id);
    this.#byExpiry.take(session);
    const owned = this.#byOwner.get(session.owner);
    owned?.delete(session);
    if (owned?.size === 0) this.#byOwner.delete(session.owner);
    const left = this.pinnedTo(session.outgoingIp) - 1;
    if (left === 0) this.#pinned.delete(session.outgoingIp);
    else this.#pinned.set(session.outgoingIp, left);
    return true;
  }

  /** The owner's living sessions created after that of rank `after`, oldest first. */
  *after(owner: string, after: number, nowMs: number): Generator<KeptSession> {
    for (const session of this.#byOwner.get(owner)?.after(after) ?? []) {
      if (session.heapIndex === -1 || session.endsAtMs > nowMs) yield session;
    }
  }

  /** Ends sessions whose time is over, the earliest first, at most `limit` of them. */
  dropExpired(nowMs: number, limit: number = DROP_PER_CALL): void {
    for (let dropped = 0; dropped < limit; dropped += 1) {
      const session = this.#byExpiry.first();
      if (session === undefined || session.endsAtMs > nowMs) return;
      this.#expire(session);
    }
  }

  #isAlive(session: KeptSession, nowMs: number): boolean {
    if (session.heapIndex === -1 || session.endsAtMs > nowMs) return true;
    this.#expire(session);
    return false;
  }

  #expire(session: KeptSession): void {
    if (this.remove(session)) this.#options.onExpired(session);
  }

  #freeId(): string {
    for (;;) {
      const id = this.#options.newId();
      if (!this.#byId.has(id)) return id;
    }
  }
}
