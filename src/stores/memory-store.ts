// Sessions in this process's memory: gone with it. Applies the rules of `sessions/` in one go per operation, which is
// what makes each of them atomic here. Refuses to wait: the caller is told when its use may start.

import { chooseRotating } from '../sessions/choice.js';
import { moveClock, type Place } from '../sessions/pace.js';
import { isCoveredBySlot, openRequest, settleRequest } from '../sessions/session.js';
import type { RuleSettings } from '../sessions/settings.js';
import { forgetTunnel, joinTunnel, noteTunnel } from '../sessions/tunnel-use.js';
import type { Clock } from './clock.js';
import type { KeptSession } from './memory-sessions.js';
import { bookSlot, cancelSlot } from './memory-slots.js';
import { type Booking, MemoryState } from './memory-state.js';
import type {
  AcquireRequest,
  Acquired,
  Booked,
  BookRequest,
  Created,
  CreateRequest,
  ListRequest,
  Refused,
  SessionPage,
  SessionStore,
  SessionView,
  StoreEvent,
  UpstreamChoice,
  UseOutcome,
  Verdict,
} from './session-store.js';
import { refuse } from './views.js';

/** What a memory store is made of. */
export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly settings: RuleSettings;
  /** Makes session IDs: decimal digits that nobody can guess. */
  readonly newId: () => string;
}

/** Makes a store that keeps sessions in memory. */
export function createMemoryStore(options: MemoryStoreOptions): SessionStore {
  return new MemoryStore(options);
}

/** A request that is held or running. */
interface Ticket extends Use {
  readonly bookedAtMs: number;
  readonly pin: Pin;
  readonly tunnel: string | undefined;
}

/** How a request starts: on a place of a clock, or at once where a slot covers it or nothing may hold it. */
type Use = Omit<Booking, 'place'> & { readonly place: Place | undefined; readonly delayMs: number };

interface Pin {
  readonly session: KeptSession | undefined;
  readonly created: boolean;
  readonly upstream: UpstreamChoice;
}

class MemoryStore implements SessionStore {
  readonly #clock: Clock;
  readonly #state: MemoryState;
  /** Bounded by the requests in flight. */
  readonly #tickets = new Map<string, Ticket>();
  #lastNowMs = -Infinity;
  #lastSerial = 0;

  constructor({ clock, settings, newId }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#state = new MemoryState(settings, newId);
  }

  async acquire(request: AcquireRequest): Promise<Acquired | Refused> {
    const nowMs = this.#begin();
    const pin = this.#pin(request, nowMs);
    if ('ok' in pin) return pin;
    const use = this.#startOf(request, pin, nowMs);
    if ('ok' in use) {
      if (pin.created && pin.session !== undefined) this.#state.sessions.remove(pin.session);
      return use;
    }
    const { session, created, upstream } = pin;
    if (session !== undefined) {
      openRequest(session, use.paceKey);
      this.#state.sessions.reorder(session);
      if (created) this.#state.tellCreated(session);
    }
    const ticket = `t${this.#serial()}`;
    this.#tickets.set(ticket, { ...use, bookedAtMs: nowMs, pin, tunnel: request.tunnel });
    return {
      ok: true,
      ticket,
      paceKey: use.paceKey,
      startsAtMs: nowMs + use.waitMs,
      waitMs: use.waitMs,
      delayMs: use.delayMs,
      nextRequestInMs: use.nextRequestInMs,
      upstreamId: upstream.id,
      outgoingIp: upstream.outgoingIp,
      session: session && { id: session.id, created },
    };
  }

  async startsAtMs(ticket: string): Promise<number | undefined> {
    const found = this.#tickets.get(ticket);
    return found && startOf(found);
  }

  async release(ticket: string, outcome: UseOutcome): Promise<void> {
    this.#begin();
    const found = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    const session = found?.pin.session;
    if (found === undefined || session === undefined) return;
    session.bytesIn += outcome.bytesIn;
    session.bytesOut += outcome.bytesOut;
    this.#settle(found, session, { sentAtMs: startOf(found), keep: outcome.result === 'answered' || session.uses > 1 });
  }

  async cancel(ticket: string): Promise<boolean> {
    const nowMs = this.#begin();
    const found = this.#tickets.get(ticket);
    if (found === undefined) return cancelSlot(this.#state, ticket, nowMs);
    if (found.place === undefined || found.place.startsAtMs <= nowMs) {
      await this.release(ticket, { result: 'failed', bytesIn: 0, bytesOut: 0 });
      return false;
    }
    this.#tickets.delete(ticket);
    this.#state.giveBack(found.paceKey, found.place, nowMs);
    const { session } = found.pin;
    if (session === undefined) return true;
    if (found.place.sharers === 0) {
      session.uses -= 1;
      if (found.tunnel !== undefined) forgetTunnel(session.tunnelUses, found.tunnel, found.place);
    }
    this.#settle(found, session, { sentAtMs: undefined, keep: session.uses > 0 });
    return true;
  }

  async book(request: BookRequest): Promise<Booked | Refused> {
    return bookSlot(this.#state, request, this.#begin(), this.#serial());
  }

  async reportVerdict({ owner, sessionId, site, verdict }: Verdict): Promise<boolean> {
    const nowMs = this.#begin();
    const session = this.#state.sessions.find(owner, sessionId, nowMs);
    if (session !== undefined && verdict === 'banned') {
      this.#state.cooldowns.start(owner, session.outgoingIp, site, nowMs);
    }
    return session !== undefined;
  }

  async create(request: CreateRequest): Promise<Created | Refused> {
    const nowMs = this.#begin();
    const { owner, traits } = request;
    const known = traits.name === undefined ? undefined : this.#state.sessions.findNamed(owner, traits.name, nowMs);
    const session = known ?? this.#state.createSession({ ...request, target: undefined }, nowMs);
    if ('ok' in session) return session;
    if (known === undefined) this.#state.tellCreated(session);
    return { ok: true, created: known === undefined, session: this.#state.view(session, nowMs) };
  }

  async get(owner: string, id: string): Promise<SessionView | undefined> {
    const nowMs = this.#begin();
    const session = this.#state.sessions.find(owner, id, nowMs);
    return session && this.#state.view(session, nowMs);
  }

  async remove(owner: string, id: string): Promise<boolean> {
    const session = this.#state.sessions.find(owner, id, this.#begin());
    if (session === undefined || !this.#state.sessions.remove(session)) return false;
    this.#state.tellEnded(session, 'deleted');
    return true;
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

  /** Finds or makes the session, and the upstream the request leaves by. */
  #pin(request: AcquireRequest, nowMs: number): Pin | Refused {
    const { owner, session: ref, upstreams } = request;
    if (ref === undefined) {
      const upstream = this.#state.choose(request, chooseRotating, nowMs);
      return 'ok' in upstream ? upstream : { session: undefined, created: false, upstream };
    }
    const known = this.#find(request, nowMs);
    if (known === undefined && ref.kind === 'id') return refuse('bad_session_id');
    const traits = ref.kind === 'name' ? { ...request.traits, name: ref.name } : request.traits;
    const session = known ?? this.#state.createSession({ ...request, traits }, nowMs);
    if ('ok' in session) return session;
    const upstream = upstreams.find(({ id }) => id === session.upstreamId);
    if (upstream === undefined) return refuse('bad_session_id');
    const coolMs = this.#state.cooldowns.leftMs(owner, session.outgoingIp, request.target.site, nowMs);
    if (coolMs > 0) return refuse('banned', { retryAfterMs: coolMs });
    return { session, created: known === undefined, upstream };
  }

  #find({ owner, session }: AcquireRequest, nowMs: number): KeptSession | undefined {
    if (session?.kind === 'id') return this.#state.sessions.find(owner, session.id, nowMs);
    if (session?.kind === 'name') return this.#state.sessions.findNamed(owner, session.name, nowMs);
    return undefined;
  }

  /** Settles when the request starts; a request of a session that paces itself is never held. */
  #startOf(request: AcquireRequest, { session, upstream }: Pin, nowMs: number): Use | Refused {
    const { target, tunnel } = request;
    const paceKey = this.#state.paceKey(upstream.outgoingIp, target.site);
    const atOnce = { paceKey, place: undefined, waitMs: 0, delayMs: 0, nextRequestInMs: undefined };
    if (session?.traits.pacing === 'client') {
      if (isCoveredBySlot(session, nowMs)) return atOnce;
      const delayMs = this.#state.delayMs(target);
      this.#state.paces.change(paceKey, nowMs, (pace) => moveClock(pace, { nowMs, delayMs }));
      session.uses += 1;
      session.unbookedUses += 1;
      return atOnce;
    }
    const shared = tunnel === undefined ? undefined : joinTunnel(session?.tunnelUses, tunnel, nowMs);
    if (shared !== undefined) return { ...atOnce, place: shared, waitMs: Math.max(0, shared.startsAtMs - nowMs) };
    const booking = this.#state.book(upstream.outgoingIp, target, nowMs);
    if ('ok' in booking || session === undefined) {
      return 'ok' in booking ? booking : { ...booking, delayMs: booking.place.delayMs };
    }
    session.uses += 1;
    if (tunnel !== undefined) noteTunnel((session.tunnelUses ??= new Map()), tunnel, booking.place);
    return { ...booking, delayMs: booking.place.delayMs };
  }

  #settle(
    { pin }: Ticket,
    session: KeptSession,
    { sentAtMs, keep }: { readonly sentAtMs: number | undefined; readonly keep: boolean },
  ): void {
    settleRequest(session, sentAtMs);
    this.#state.sessions.reorder(session);
    if (keep || !pin.created || session.openUses > 0) return;
    if (this.#state.sessions.remove(session)) this.#state.tellEnded(session, 'unused');
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
