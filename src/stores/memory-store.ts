// Sessions in this process's memory: gone with it. Applies the rules of `sessions/` in one go per operation, which is
// what makes each of them atomic here. Refuses to wait: the caller is told when its use may start.

import { openRequest, settleRequest } from '../sessions/session.js';
import type { TargetName } from '../sessions/pace-key.js';
import type { RuleSettings } from '../sessions/settings.js';
import { noteClosed, noteOpened } from '../sessions/session-tunnels.js';
import { forgetTunnel } from '../sessions/tunnel-use.js';
import type { Clock } from './clock.js';
import type { KeptSession } from './memory-sessions.js';
import { makePinned } from './memory-exits.js';
import { learn, tellChanged } from './memory-loss.js';
import { bookSlot, cancelSlot } from './memory-slots.js';
import { MemoryState } from './memory-state.js';
import { banOf, findSession, grantOf, type Pin, pinUse, startUse, type Use } from './memory-use.js';
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

/** A request that is held or running. */
interface Ticket extends Pick<Use, 'clock' | 'place'>, Pick<AcquireRequest, 'owner' | 'target' | 'tunnel'> {
  readonly bookedAtMs: number;
  readonly pin: Pin;
  /** What its answer tells of the session's former outgoing IP. */
  readonly formerIp: string | undefined;
}

/** How a request of a session ended; `sentAtMs` undefined: it was never sent. */
interface Settling extends Pick<AcquireRequest, 'tunnel'> {
  readonly sentAtMs: number | undefined;
  readonly nowMs: number;
}

class MemoryStore implements SessionStore {
  readonly #clock: Clock;
  readonly #newSeed: () => string;
  readonly #state: MemoryState;
  /** Bounded by the requests in flight. */
  readonly #tickets = new Map<string, Ticket>();
  #lastNowMs = -Infinity;
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
    if (session !== undefined) this.#dropUnused(session, nowMs);
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
    const ticket = `t${this.#serial()}`;
    const granted = grantOf({ state: this.#state, nowMs }, use, { ticket, pin });
    const { owner, target, tunnel } = request;
    const { clock, place } = use;
    const formerIp = granted.session?.formerIp;
    this.#tickets.set(ticket, { clock, place, owner, target, tunnel, bookedAtMs: nowMs, pin, formerIp });
    return granted;
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
    const { owner, target, pin } = found;
    const isBanned = outcome.result === 'banned';
    if (isBanned) this.#state.cooldowns.start(owner, pin.leaving.outgoingIp, target.site, nowMs);
    const { session } = pin;
    if (session === undefined) return;
    session.bytesIn += outcome.bytesIn;
    session.bytesOut += outcome.bytesOut;
    if (outcome.result === 'answered') session.isKept = true;
    else session.toldIp ??= found.formerIp;
    this.#settle(session, { tunnel: found.tunnel, sentAtMs: startOf(found), nowMs });
    if (outcome.result !== 'retried') this.#dropUnused(session, nowMs);
    if (isBanned) this.#ban(session, nowMs);
  }

  async cancel(ticket: string): Promise<boolean> {
    const nowMs = this.#begin();
    const found = this.#tickets.get(ticket);
    if (found === undefined) return cancelSlot({ state: this.#state, nowMs }, ticket);
    if (found.place === undefined || found.place.startsAtMs <= nowMs) {
      await this.release(ticket, { result: 'failed', bytesIn: 0, bytesOut: 0 });
      return false;
    }
    this.#tickets.delete(ticket);
    this.#state.giveBack(found.clock, found.place, nowMs);
    const { session } = found.pin;
    if (session === undefined) return true;
    session.toldIp ??= found.formerIp;
    if (found.place.sharers === 0) {
      session.uses -= 1;
      if (found.tunnel !== undefined) forgetTunnel(session.tunnelUses, found.tunnel, found.place);
    }
    this.#settle(session, { tunnel: found.tunnel, sentAtMs: undefined, nowMs });
    this.#dropUnused(session, nowMs);
    return true;
  }

  async book(request: BookRequest): Promise<Booked | Refused> {
    return bookSlot({ state: this.#state, nowMs: this.#begin() }, request, this.#serial());
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

  #settle(session: KeptSession, { tunnel, sentAtMs, nowMs }: Settling): void {
    settleRequest(session, sentAtMs);
    if (tunnel !== undefined) noteClosed(session.tunnels, tunnel, nowMs);
    this.#state.sessions.reorder(session);
  }

  /** Ends a session that was made for a use, when none is left that may yet have an answer. */
  #dropUnused(session: KeptSession, nowMs: number): void {
    if (session.isKept || session.openUses > 0) return;
    this.#state.end(session, 'unused', nowMs);
  }

  #ban(session: KeptSession, nowMs: number): void {
    session.isBanned = true;
    if (this.#state.settings.sessions.onBan === 'sticky') return;
    this.#state.end(session, 'banned', nowMs);
  }

  /** Starts an operation: reads the clock, which never steps back for us, and ends what is over. */
  #begin(): number {
    this.#lastNowMs = Math.max(this.#lastNowMs, this.#clock.nowMs());
    this.#state.sessions.dropExpired(this.#lastNowMs);
    return this.#lastNowMs;
  }

  #serial(): number {
    this.#lastSerial += 1;
    return this.#lastSerial;
  }
}

function startOf({ place, bookedAtMs }: Ticket): number {
  return place?.startsAtMs ?? bookedAtMs;
}
