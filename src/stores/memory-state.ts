// What the operations of a memory store work on: its sessions, clocks and cool-downs, and the moves that several of
// them make. Every move takes the time it happens at; only the store itself reads a clock.

import { EventEmitter } from 'node:events';
import { type Candidate, choosePin, type chooseRotating, isInPlace } from '../sessions/choice.js';
import { bookPlace, cancelPlace, type Place } from '../sessions/pace.js';
import { delayOf, paceKeyOf, type TargetName } from '../sessions/pace-key.js';
import type { SessionTraits } from '../sessions/session.js';
import type { RuleSettings } from '../sessions/settings.js';
import { Cooldowns } from './cooldowns.js';
import { ExpiringKeys } from './expiring-keys.js';
import { type KeptSession, MemorySessions } from './memory-sessions.js';
import { Paces } from './paces.js';
import type { EndReason, Refused, SessionView, StoreEvent, UpstreamChoice } from './session-store.js';
import { refuse, viewOf } from './views.js';

/** How long an ID that a client chose is not taken again after its session ended, in milliseconds. */
const ID_SPENT_MS = 600_000;

/** Such IDs kept; past that the oldest is forgotten, and may be taken again. */
const MAX_SPENT_IDS = 100_000;

/** A place on a clock, and what the client may be told of it. */
export interface Booking {
  readonly paceKey: string;
  readonly place: Place;
  readonly waitMs: number;
  readonly nextRequestInMs: number | undefined;
}

/** Who wants to go where; without a target, a session is only to be pinned. */
export interface ChoiceRequest {
  readonly owner: string;
  readonly upstreams: readonly UpstreamChoice[];
  readonly traits: SessionTraits;
  readonly target: TargetName | undefined;
  /** Whether the client chose the ID, which is then the name. */
  readonly isChosen?: boolean | undefined;
}

/** The state at the time of one operation, epoch milliseconds. */
export interface Moment {
  readonly state: MemoryState;
  readonly nowMs: number;
}

/** The state of a memory store. */
export class MemoryState {
  readonly settings: RuleSettings;
  readonly sessions: MemorySessions;
  readonly paces = new Paces();
  readonly cooldowns: Cooldowns;
  /** IDs that clients chose, of sessions that ended: not taken again at once, or a lost session would go unnoticed. */
  readonly spentIds = new ExpiringKeys({ lastsMs: ID_SPENT_MS, max: MAX_SPENT_IDS });
  readonly events = new EventEmitter<{ event: [StoreEvent] }>();
  /** When each upstream was chosen last, as a rising number; bounded by the upstreams ever configured. */
  readonly #lastChosen = new Map<string, number>();
  #choices = 0;

  constructor(settings: RuleSettings, newId: () => string) {
    this.settings = settings;
    this.cooldowns = new Cooldowns(settings.bans.cooldownMs);
    this.events.setMaxListeners(0);
    const onExpired = (session: KeptSession): void => this.tellEnded(session, 'expired', session.endsAtMs);
    this.sessions = new MemorySessions({ settings: settings.sessions, newId, onExpired });
  }

  paceKey(outgoingIp: string, site: string): string {
    return paceKeyOf(outgoingIp, site, this.settings.delays.scope);
  }

  /** Books the next place for a target on the clock of an outgoing IP. */
  book(outgoingIp: string, target: TargetName, nowMs: number): Booking | Refused {
    const paceKey = this.paceKey(outgoingIp, target.site);
    const delayMs = this.delayMs(target);
    const { delays } = this.settings;
    const answer = this.paces.change(paceKey, nowMs, (pace) => bookPlace(pace, { nowMs, delayMs }, delays));
    const { place, waitMs, nextRequestInMs } = answer;
    if (place === undefined) return refuse('serverbusy', { retryAfterMs: waitMs, nextRequestInMs });
    return { paceKey, place, waitMs, nextRequestInMs };
  }

  /** Gives up a place, and tells those behind it that they moved up. */
  giveBack(paceKey: string, place: Place, nowMs: number): void {
    const moved = this.paces.change(paceKey, nowMs, (pace) => cancelPlace(pace, place, nowMs));
    if (moved) this.events.emit('event', { type: 'moved', paceKey });
  }

  delayMs(target: TargetName): number {
    return delayOf(target.host, this.settings.delays);
  }

  /** Makes a session and pins it, unless its owner has too many or no upstream will do. Nobody is told yet. */
  createSession(request: ChoiceRequest, nowMs: number): KeptSession | Refused {
    if (this.sessions.isFull(request.owner, nowMs)) return refuse('user_session_limit');
    const upstream = this.choose(request, choosePin, nowMs);
    if ('ok' in upstream) return upstream;
    const { owner, traits, isChosen = false } = request;
    const { id: upstreamId, outgoingIp } = upstream;
    return this.sessions.add({ owner, traits, isChosen, upstreamId, outgoingIp }, nowMs);
  }

  /** Chooses among the upstreams in the place that is asked for, whose outgoing IP is not kept from the target after a ban. */
  choose(request: ChoiceRequest, rule: typeof choosePin | typeof chooseRotating, nowMs: number): Candidate | Refused {
    const { owner, target, traits } = request;
    const upstreams = request.upstreams.filter((upstream) => isInPlace(upstream, traits));
    if (upstreams.length === 0) return refuse('noslaves');
    const coolMs = ({ outgoingIp }: UpstreamChoice): number =>
      target === undefined ? 0 : this.cooldowns.leftMs(owner, outgoingIp, target.site, nowMs);
    const candidates = upstreams.filter((upstream) => coolMs(upstream) === 0);
    const chosen = rule(
      candidates.map(({ id, outgoingIp }) => ({
        id,
        outgoingIp,
        sessions: this.sessions.pinnedTo(outgoingIp),
        freeAtMs: this.paces.freeAtMs(this.paceKey(outgoingIp, target?.site ?? '')),
        lastChosen: this.#lastChosen.get(id) ?? 0,
      })),
      nowMs,
    );
    if (chosen === undefined) return refuse('banned', { retryAfterMs: Math.min(...upstreams.map(coolMs)) });
    this.#choices += 1;
    this.#lastChosen.set(chosen.id, this.#choices);
    return chosen;
  }

  view(session: KeptSession, nowMs: number): SessionView {
    const paceKey = session.lastPaceKey ?? this.paceKey(session.outgoingIp, '');
    return viewOf(session, { nowMs, freeAtMs: this.paces.freeAtMs(paceKey), settings: this.settings.sessions });
  }

  tellCreated({ owner, id, outgoingIp }: KeptSession): void {
    this.events.emit('event', { type: 'session.created', owner, sessionId: id, outgoingIp });
  }

  /** @param endedAtMs may be long ago: that a session has expired is noticed when something happens */
  tellEnded({ owner, id, isChosen, name }: KeptSession, reason: EndReason, endedAtMs: number): void {
    if (isChosen && name !== undefined && reason !== 'unused') this.spentIds.start(`${owner} ${name}`, endedAtMs);
    this.events.emit('event', { type: 'session.ended', owner, sessionId: id, reason });
  }
}
