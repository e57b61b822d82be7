// How a use of a memory store comes about: which session and upstream it gets, and when it starts. Both change the
// state; what happens to the use afterwards is not decided here.

import { chooseRotating } from '../sessions/choice.js';
import { moveClock, type Place } from '../sessions/pace.js';
import { isCoveredBySlot, type SessionRef } from '../sessions/session.js';
import { joinTunnel, noteTunnel } from '../sessions/tunnel-use.js';
import { leavingAnew, makePinned } from './memory-exits.js';
import { keepPinned } from './memory-loss.js';
import type { KeptSession } from './memory-sessions.js';
import type { Booking, Moment } from './memory-state.js';
import type { PaceOwner } from './paces.js';
import type { Leaving } from './pins.js';
import type { Acquired, AcquireRequest, Refused } from './session-store.js';
import { refuse } from './views.js';

/** How a request starts: on a place of a clock, or at once where a slot covers it or nothing may hold it. */
export type Use = Omit<Booking, 'place'> & { readonly place: Place | undefined; readonly delayMs: number };

/** The session of a request, if it has one, and where it leaves from: as it is now, whatever is learned later. */
export interface Pin {
  readonly session: KeptSession | undefined;
  readonly created: boolean;
  readonly leaving: Leaving;
}

/** Finds or makes the session, and the upstream the request leaves by. @param newSeed as that of the store */
export function pinUse(moment: Moment, request: AcquireRequest, newSeed: () => string): Pin | Refused {
  const { state, nowMs } = moment;
  const { session: ref, target } = request;
  if (ref === undefined) {
    const upstream = state.choose(request, { rule: chooseRotating }, nowMs);
    if ('ok' in upstream) return upstream;
    const leaving = leavingAnew(moment, upstream, { owner: request.owner, site: target.site, newSeed });
    return banOf(moment, request, { session: undefined, leaving }) ?? { session: undefined, created: false, leaving };
  }
  const known = findSession(moment, request);
  const session = known ?? makeSession(moment, request, ref);
  if ('ok' in session) return session;
  const lost = known && keepPinned(moment, known, request);
  if (lost !== undefined) return lost;
  const { upstreamId, exit, outgoingIp, word } = session.pin;
  const leaving = { upstreamId, exit, outgoingIp, word };
  return banOf(moment, request, { session, leaving }) ?? { session, created: known === undefined, leaving };
}

/** Says no to a use whose outgoing IP the target has banned, or whose session is banned. */
export function banOf(
  { state, nowMs }: Moment,
  { owner, target }: Pick<AcquireRequest, 'owner' | 'target'>,
  { session, leaving }: Pick<Pin, 'session' | 'leaving'>,
): Refused | undefined {
  const coolMs = state.coolMs(owner, leaving, target.site, nowMs);
  if (coolMs > 0) return refuse('banned', { retryAfterMs: coolMs });
  if (session?.isBanned !== true) return undefined;
  // Ours: past its cool-down a banned session tells when its ID is free to be replaced, for it does not come back.
  const endsAtMs = state.sessions.endOf(session);
  return refuse('banned', { retryAfterMs: endsAtMs === Infinity ? 0 : Math.max(0, endsAtMs - nowMs) });
}

/** Settles when the request starts; a request of a session that paces itself is never held. */
export function startUse(moment: Moment, request: AcquireRequest, { session, leaving }: Pin): Use | Refused {
  const { state, nowMs } = moment;
  const { target, tunnel } = request;
  const { outgoingIp } = leaving;
  const clock = { outgoingIp, site: target.site };
  if (session?.traits.pacing === 'client') {
    if (!isCoveredBySlot(session, nowMs)) countUnbooked(moment, session, { clock, delayMs: state.delayMs(target) });
    return { clock, place: undefined, waitMs: 0, delayMs: 0, nextRequestInMs: undefined };
  }
  const shared = tunnel === undefined ? undefined : joinTunnel(session?.tunnelUses, tunnel, nowMs);
  if (shared !== undefined) {
    const waitMs = Math.max(0, shared.startsAtMs - nowMs);
    return { clock, place: shared, waitMs, delayMs: 0, nextRequestInMs: undefined };
  }
  const booking = state.book(outgoingIp, target, nowMs);
  if ('ok' in booking) return booking;
  if (session !== undefined) {
    session.uses += 1;
    if (tunnel !== undefined) noteTunnel((session.tunnelUses ??= new Map()), tunnel, booking.place);
  }
  const { place, waitMs, nextRequestInMs } = booking;
  return { clock, place, waitMs, delayMs: place.delayMs, nextRequestInMs };
}

/** What the one who asked is told of a use that was booked. */
export function grantOf(
  { state, nowMs }: Moment,
  use: Use,
  { ticket, pin, formerIp }: { readonly ticket: string; readonly pin: Pin; readonly formerIp: string | undefined },
): Acquired {
  const { session, created, leaving } = pin;
  return {
    ok: true,
    ticket,
    paceKey: state.paces.keyOf(use.clock),
    startsAtMs: nowMs + use.waitMs,
    waitMs: use.waitMs,
    delayMs: use.delayMs,
    nextRequestInMs: use.nextRequestInMs,
    upstreamId: leaving.upstreamId,
    exit: leaving.exit,
    outgoingIp: leaving.outgoingIp,
    session: session && {
      id: session.id,
      created,
      bancheck: session.traits.bancheck !== false,
      formerIp,
    },
  };
}

/** What is told of a move is told by one use; where that gets no answer, by the next. */
export function takeFormerIp(session: KeptSession): string | undefined {
  const { toldIp } = session;
  if (toldIp === undefined) return undefined;
  session.toldIp = undefined;
  return toldIp === session.pin.outgoingIp ? undefined : toldIp;
}

/** Lets the other sessions of the outgoing IP keep their distance from a request that no slot covers. */
function countUnbooked(
  { state, nowMs }: Moment,
  session: KeptSession,
  { clock, delayMs }: { readonly clock: PaceOwner; readonly delayMs: number },
): void {
  state.paces.change(clock, nowMs, (pace) => moveClock(pace, { nowMs, delayMs }));
  session.uses += 1;
  session.unbookedUses += 1;
}

/** The living session that a request names, if there is one. */
export function findSession({ state, nowMs }: Moment, { owner, session }: AcquireRequest): KeptSession | undefined {
  if (session?.kind === 'id') return state.sessions.find(owner, session.id, nowMs);
  if (session?.kind === 'name') return state.sessions.findNamed(owner, session.name, nowMs);
  if (session?.kind === 'chosen') return state.sessions.findNamed(owner, session.id, nowMs);
  return undefined;
}

function makeSession(moment: Moment, request: AcquireRequest, ref: SessionRef): KeptSession | Refused {
  const { state, nowMs } = moment;
  const { owner, traits } = request;
  if (ref.kind === 'id') return refuse('bad_session_id');
  if (ref.kind === 'create') return makePinned(moment, request);
  if (ref.kind === 'name') return makePinned(moment, { ...request, traits: { ...traits, name: ref.name } });
  if (state.spentIds.leftMs(`${owner} ${ref.id}`, nowMs) > 0) return refuse('bad_session_id');
  return makePinned(moment, { ...request, traits: { ...traits, name: ref.id }, isChosen: true });
}
