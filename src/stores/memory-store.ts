// Sessions in this process's memory: gone with it. Applies the rules of `sessions/` in one go per operation, which is
// what makes each of them atomic here. Refuses to wait: the caller is told when its use may start.

import { openRequest } from '../sessions/session.js';
import type { TargetName } from '../sessions/pace-key.js';
import type { RuleSettings } from '../sessions/settings.js';
import { noteOpened } from '../sessions/session-tunnels.js';
import type { Clock } from './clock.js';
import { makePinned } from './memory-exits.js';
import { learn, tellChanged } from './memory-loss.js';
import { dropUnused, giveBackUse, type HeldUse, settleUse, startOf } from './memory-settle.js';
import { bookSlot, cancelSlot } from './memory-slots.js';
import { MemoryState } from './memory-state.js';
import { banOf, findSession, grantOf, pinUse, startUse, takeFormerIp } from './memory-use.js';
import type {
  AcquireRequest,
  Acquired,
  Booked,
  BookRequest,
  Created,
  CreateRequest,
  LearnedIp,
  ListRequest,
  Outlook,
  Refused,
  SessionPage,
  SessionStore,
  SessionView,
  StoreEvent,
  UseOutcome,
  Verdict,
} from './session-store.js';
import { Tickets } from './tickets.js';

const NO_ANSWER: UseOutcome = { result: 'failed', bytesIn: 0, bytesOut: 0 };

/** What a memory store is made of. */
export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly settings: RuleSettings;
  /** Makes session IDs: decimal digits that nobody can guess. */
  readonly newId: () => string;
  /** Makes what the exit of a request without a session is drawn by: as hard to guess. @default newId */
  readonly newSeed?: (() => string) | undefined;
}

/** Makes a store that keeps sessions in memory. */
export function createMemoryStore(options: MemoryStoreOptions): SessionStore {
  return new MemoryStore(options);
}

class MemoryStore implements SessionStore {
  readonly #clock: Clock;
  readonly #newSeed: () => string;
  readonly #state: MemoryState;
  /** Bounded by the requests in flight. */
  readonly #tickets = new Tickets<HeldUse>();
  #lastNowMs = -Infinity;
  /** Of slots. */
  #lastSerial = 0;

  constructor({ clock, settings, newId, newSeed = newId }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#newSeed = newSeed;
    this.#state = new MemoryState(settings, newId);
  }

  async acquire(request: AcquireRequest): Promise<Acquired | Refused> {
    const nowMs = this.#begin();
    const answer = this.#acquire(request, nowMs);
    // A session that was made for a request ends with it, if that is refused another attempt.
    const session = answer.ok ? undefined : findSession({ state: this.#state, nowMs }, request);
    if (session !== undefined) dropUnused({ state: this.#state, nowMs }, session);
    return answer;
  }

  #acquire(request: AcquireRequest, nowMs: number): Acquired | Refused {
    const pin = pinUse({ state: this.#state, nowMs }, request, this.#newSeed);
    if ('ok' in pin) return pin;
    const use = startUse({ state: this.#state, nowMs }, request, pin);
    if ('ok' in use) {
      if (pin.created && pin.session !== undefined) this.#state.sessions.remove(pin.session);
      return use;
    }
    const { session, created } = pin;
    if (session !== undefined) {
      openRequest(session, request.target.site);
      session.requests += 1;
      if (request.tunnel !== undefined) noteOpened((session.tunnels ??= []), request.tunnel);
      this.#state.sessions.reorder(session);
      if (created) this.#state.tellCreated(session);
    }
    const { owner, target, tunnel } = request;
    const { clock, place } = use;
    const formerIp = session && takeFormerIp(session);
    const ticket = this.#tickets.add({ clock, place, owner, target, tunnel, bookedAtMs: nowMs, pin, formerIp });
    return grantOf({ state: this.#state, nowMs }, use, { ticket, pin, formerIp });
  }

  async startsAtMs(ticket: string): Promise<number | undefined> {
    const found = this.#tickets.get(ticket);
    return found && startOf(found);
  }

  async refusalOf(ticket: string): Promise<Refused | undefined> {
    const nowMs = this.#begin();
    const found = this.#tickets.get(ticket);
    return found && banOf({ state: this.#state, nowMs }, found, found.pin);
  }

  async release(ticket: string, outcome: UseOutcome): Promise<void> {
    const nowMs = this.#begin();
    const found = this.#tickets.get(ticket);
    if (found === undefined) return;
    this.#tickets.delete(ticket);
    settleUse({ state: this.#state, nowMs }, found, outcome);
  }

  async cancel(ticket: string): Promise<boolean> {
    const nowMs = this.#begin();
    const found = this.#tickets.get(ticket);
    if (found === undefined) return cancelSlot({ state: this.#state, nowMs }, ticket);
    this.#tickets.delete(ticket);
    // One without a place was never held.
    const hasStarted = found.place === undefined || found.place.startsAtMs <= nowMs;
    if (hasStarted) settleUse({ state: this.#state, nowMs }, found, NO_ANSWER);
    else giveBackUse({ state: this.#state, nowMs }, found);
    return !hasStarted;
  }

  async book(request: BookRequest): Promise<Booked | Refused> {
    this.#lastSerial += 1;
    return bookSlot({ state: this.#state, nowMs: this.#begin() }, request, this.#lastSerial);
  }

  async reportVerdict({ owner, sessionId, site, verdict }: Verdict): Promise<boolean> {
    const nowMs = this.#begin();
    const session = this.#state.sessions.find(owner, sessionId, nowMs);
    if (session !== undefined && verdict === 'banned') {
      this.#state.cooldowns.start(owner, session.pin.outgoingIp, site, nowMs);
    }
    return session !== undefined;
  }

  async learnOutgoingIp(learned: LearnedIp): Promise<void> {
    const changed = learn({ state: this.#state, nowMs: this.#begin() }, learned);
    if (changed === undefined) return;
    await tellChanged(this.#state, { ...changed, policy: learned.policy, nowMs: () => this.#begin() });
  }

  async create(request: CreateRequest): Promise<Created | Refused> {
    const nowMs = this.#begin();
    const { owner, traits } = request;
    const known = traits.name === undefined ? undefined : this.#state.sessions.findNamed(owner, traits.name, nowMs);
    const session = known ?? makePinned({ state: this.#state, nowMs }, request);
    if ('ok' in session) return session;
    session.isKept = true;
    if (known === undefined) this.#state.tellCreated(session);
    return { ok: true, created: known === undefined, session: this.#state.view(session, nowMs) };
  }

  async get(owner: string, id: string): Promise<SessionView | undefined> {
    const nowMs = this.#begin();
    const session = this.#state.sessions.find(owner, id, nowMs);
    return session && this.#state.view(session, nowMs);
  }

  async outlook(owner: string, id: string, target: TargetName): Promise<Outlook | undefined> {
    const nowMs = this.#begin();
    const session = this.#state.sessions.find(owner, id, nowMs);
    return session && this.#state.outlook(session, target, nowMs);
  }

  async remove(owner: string, id: string): Promise<boolean> {
    const nowMs = this.#begin();
    const session = this.#state.sessions.find(owner, id, nowMs);
    return session !== undefined && this.#state.end(session, 'deleted', nowMs);
  }

  async list({ owner, after, limit }: ListRequest): Promise<SessionPage> {
    const nowMs = this.#begin();
    const page: SessionView[] = [];
    let lastRank = 0;
    for (const session of this.#state.sessions.after(owner, Number(after ?? 0), nowMs)) {
      if (page.length === limit) return { sessions: page, after: String(lastRank) };
      page.push(this.#state.view(session, nowMs));
      lastRank = session.rank;
    }
    return { sessions: page, after: undefined };
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#state.events.on('event', listener);
    return () => this.#state.events.off('event', listener);
  }

  async close(): Promise<void> {
    this.#state.events.removeAllListeners();
  }

  /** Starts an operation: reads the clock, which never steps back for us, and ends what is over. */
  #begin(): number {
    this.#lastNowMs = Math.max(this.#lastNowMs, this.#clock.nowMs());
    this.#state.sessions.dropExpired(this.#lastNowMs);
    return this.#lastNowMs;
  }
}
