// What the operations of a memory store work on: its sessions, clocks and cool-downs, and the moves that several of
// them make. Every move takes the time it happens at; only the store itself reads a clock.

import { EventEmitter } from 'node:events';
import { type choosePin, type chooseRotating, isInPlace, takeTurn } from '../sessions/choice.js';
import { bookPlace, cancelPlace, type Place } from '../sessions/pace.js';
import { delayOf, type TargetName } from '../sessions/pace-key.js';
import type { SessionTraits } from '../sessions/session.js';
import type { RuleSettings } from '../sessions/settings.js';
import { Cooldowns } from './cooldowns.js';
import { ExpiringKeys } from './expiring-keys.js';
import { type KeptSession, MemorySessions } from './memory-sessions.js';
import { type PaceOwner, Paces } from './paces.js';
import type { Leaving } from './pins.js';
import { Rosters, type Standing } from './roster.js';
import type {
  EndReason,
  Outlook,
  Refused,
  SessionView,
  StoreEvent,
  UpstreamChoice,
  UpstreamFacts,
} from './session-store.js';
import { refuse, viewOf } from './views.js';

/** How long an ID that a client chose is not taken again after its session ended, in milliseconds. */
const ID_SPENT_MS = 600_000;

/** Such IDs kept; past that the oldest is forgotten, and may be taken again. */
const MAX_SPENT_IDS = 100_000;

/** A place on a clock, and what the client may be told of it. */
export interface Booking {
  readonly clock: PaceOwner;
  readonly place: Place;
  readonly waitMs: number;
  readonly nextRequestInMs: number | undefined;
}

/** Who wants to go where; without a target, a session is only to be pinned. */
export interface ChoiceRequest {
  readonly owner: string;
  readonly upstreams: readonly UpstreamChoice[];
  readonly except?: ReadonlySet<string> | undefined;
  readonly facts?: UpstreamFacts | undefined;
  readonly traits: SessionTraits;
  readonly target?: TargetName | undefined;
}

/** What a new session is made for. */
export interface SessionRequest extends ChoiceRequest {
  /** Whether the client chose the ID, which is then the name. */
  readonly isChosen?: boolean | undefined;
}

/** The rule to choose by, and what else an upstream must be. */
export interface Choosing {
  readonly rule: typeof choosePin<Standing> | typeof chooseRotating<Standing>;
  readonly accepts?: ((upstream: UpstreamChoice) => boolean) | undefined;
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
  readonly paces: Paces;
  readonly cooldowns: Cooldowns;
  /** IDs that clients chose, of sessions that ended: not taken again at once, or a lost session would go unnoticed. */
  readonly spentIds = new ExpiringKeys({ lastsMs: ID_SPENT_MS, max: MAX_SPENT_IDS });
  readonly events = new EventEmitter<{ event: [StoreEvent] }>();
  readonly rosters: Rosters;
  #choices = 0;
  #turn = 0;

  constructor(settings: RuleSettings, newId: () => string) {
    this.settings = settings;
    this.paces = new Paces(settings.delays.scope);
    this.cooldowns = new Cooldowns(settings.bans.cooldownMs);
    this.events.setMaxListeners(0);
    const onExpired = (session: KeptSession, endedAtMs: number): void => this.tellEnded(session, 'expired', endedAtMs);
    this.sessions = new MemorySessions({ settings: settings.sessions, newId, onExpired });
    this.rosters = new Rosters(this.sessions.pins);
  }

  /** Books the next place for a target on the clock of an outgoing IP. */
  book(outgoingIp: string, target: TargetName, nowMs: number): Booking | Refused {
    const clock = { outgoingIp, site: target.site };
    const delayMs = this.delayMs(target);
    const { delays } = this.settings;
    const answer = this.paces.change(clock, nowMs, (pace) => bookPlace(pace, { nowMs, delayMs }, delays));
    const { place, waitMs, nextRequestInMs } = answer;
    if (place === undefined) return refuse('serverbusy', { retryAfterMs: waitMs, nextRequestInMs });
    return { clock, place, waitMs, nextRequestInMs };
  }

  /** Gives up a place, and tells those behind it that they moved up. */
  giveBack(clock: PaceOwner, place: Place, nowMs: number): void {
    const moved = this.paces.change(clock, nowMs, (pace) => cancelPlace(pace, place, nowMs));
    if (moved) this.events.emit('event', { type: 'moved', paceKey: this.paces.keyOf(clock) });
  }

  delayMs(target: TargetName): number {
    return delayOf(target.host, this.settings.delays);
  }

  /** How long what leaves from there is still kept from a site, in milliseconds; 0 where it is not. */
  coolMs(
    owner: string,
    { outgoingIp, word }: Pick<Leaving, 'outgoingIp' | 'word'>,
    site: string,
    nowMs: number,
  ): number {
    const coolMs = this.cooldowns.leftMs(owner, outgoingIp, site, nowMs);
    // What was banned before its address was known is banned all the same.
    return word === outgoingIp ? coolMs : Math.max(coolMs, this.cooldowns.leftMs(owner, word, site, nowMs));
  }

  /**
   * Chooses among the upstreams in the place that is asked for, whose outgoing IP is not kept from the target after a
   * ban. One with many exits has no clock in the way: the one that is drawn has its own.
   */
  choose(request: ChoiceRequest, { rule, accepts }: Choosing, nowMs: number): UpstreamChoice | Refused {
    const { owner, target, traits, except, facts } = request;
    const site = target?.site ?? '';
    const { standings } = this.rosters.of(request.upstreams);
    const freeAtMs = this.paces.freeAtSite(site);
    const mayServe = (choice: UpstreamChoice): boolean =>
      isInPlace(choice, traits) && except?.has(choice.id) !== true && accepts?.(choice) !== false;
    const coolMs = ({ id, outgoingIp, draw }: UpstreamChoice): number =>
      target === undefined || draw !== undefined ? 0 : this.coolMs(owner, { outgoingIp, word: id }, site, nowMs);
    const chosen = rule({
      candidates: standings,
      turn: this.#turn,
      waitMs: ({ choice }) => (choice.draw === undefined ? Math.max(0, freeAtMs(choice.outgoingIp) - nowMs) : 0),
      isOpen: ({ choice }) => mayServe(choice) && coolMs(choice) === 0,
    });
    if (chosen === undefined) {
      const cooling = standings.flatMap(({ choice }) => (mayServe(choice) ? coolMs(choice) : []));
      if (cooling.length === 0) return refuse('noslaves', { retryAfterMs: facts?.firstRetryMs(traits) });
      return refuse('banned', { retryAfterMs: cooling.reduce((least, ms) => Math.min(least, ms)) });
    }
    this.#choices += 1;
    chosen.lastChosen = this.#choices;
    this.#turn = takeTurn(chosen, this.#turn);
    return chosen.choice;
  }

  view(session: KeptSession, nowMs: number): SessionView {
    const freeAtMs = this.paces.freeAtMs({ outgoingIp: session.pin.outgoingIp, site: session.lastSite ?? '' });
    return viewOf(session, { nowMs, freeAtMs, settings: this.settings.sessions });
  }

  outlook(session: KeptSession, target: TargetName, nowMs: number): Outlook {
    const { owner, pin } = session;
    const freeAtMs = this.paces.freeAtMs({ outgoingIp: pin.outgoingIp, site: target.site });
    return {
      session: this.view(session, nowMs),
      waitMs: Math.max(0, freeAtMs - nowMs),
      delayMs: this.delayMs(target),
      coolMs: this.coolMs(owner, pin, target.site, nowMs),
    };
  }

  tellCreated({ owner, id, pin }: KeptSession): void {
    this.events.emit('event', { type: 'session.created', owner, sessionId: id, outgoingIp: pin.outgoingIp });
  }

  /** Ends a session, if it has not ended by itself. */
  end(session: KeptSession, reason: EndReason, nowMs: number): boolean {
    if (!this.sessions.remove(session)) return false;
    this.tellEnded(session, reason, nowMs);
    return true;
  }

  /** @param endedAtMs may be long ago: that a session has expired is noticed when something happens */
  tellEnded({ owner, id, isChosen, traits }: KeptSession, reason: EndReason, endedAtMs: number): void {
    if (isChosen && traits.name !== undefined && reason !== 'unused') {
      this.spentIds.start(`${owner} ${traits.name}`, endedAtMs);
    }
    this.events.emit('event', { type: 'session.ended', owner, sessionId: id, reason });
  }
}
