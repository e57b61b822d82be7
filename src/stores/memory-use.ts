// How a use of a memory store comes about: which session and upstream it gets, and when it starts. Both change the
// state; what happens to the use afterwards is not decided here.

import { chooseRotating } from '../sessions/choice.js';
import { moveClock, type Place } from '../sessions/pace.js';
import { isCoveredBySlot, type SessionRef } from '../sessions/session.js';
import { joinTunnel, noteTunnel } from '../sessions/tunnel-use.js';
import type { KeptSession } from './memory-sessions.js';
import type { Booking, Moment } from './memory-state.js';
import type { Acquired, AcquireRequest, Refused, UpstreamChoice } from './session-store.js';
import { refuse } from './views.js';

/** How a request starts: on a place of a clock, or at once where a slot covers it or nothing may hold it. */
export type Use = Omit<Booking, 'place'> & { readonly place: Place | undefined; readonly delayMs: number };

/** The session of a request, if it has one, and the upstream it leaves by. */
export interface Pin {
  readonly session: KeptSession | undefined;
  readonly created: boolean;
  readonly upstream: UpstreamChoice;
}

/** Finds or makes the session, and the upstream the request leaves by. */
export function pinUse({ state, nowMs }: Moment, request: AcquireRequest): Pin | Refused {
  const { session: ref, upstreams } = request;
  if (ref === undefined) {
    const upstream = state.choose(request, chooseRotating, nowMs);
    return 'ok' in upstream ? upstream : { session: undefined, created: false, upstream };
  }
  const known = findSession({ state, nowMs }, request);
  const session = known ?? makeSession({ state, nowMs }, request, ref);
  if ('ok' in session) return session;
  const upstream = upstreams.find(({ id }) => id === session.upstreamId);
  if (upstream === undefined) return refuse('bad_session_id');
  const refused = banOf({ state, nowMs }, request, { session, upstream });
  return refused ?? { session, created: known === undefined, upstream };
}

/** Says no to a use whose outgoing IP the target has banned, or whose session is banned. */
export function banOf(
  { state, nowMs }: Moment,
  { owner, target }: Pick<AcquireRequest, 'owner' | 'target'>,
  { session, upstream }: Pick<Pin, 'session' | 'upstream'>,
): Refused | undefined {
  const coolMs = state.cooldowns.leftMs(owner, upstream.outgoingIp, target.site, nowMs);
  if (coolMs > 0) return refuse('banned', { retryAfterMs: coolMs });
  if (session?.isBanned !== true) return undefined;
  // Ours: past its cool-down a banned session tells when its ID is free to be replaced, for it does not come back.
  return refuse('banned', { retryAfterMs: session.heapIndex === -1 ? 0 : Math.max(0, session.endsAtMs - nowMs) });
}

/** Settles when the request starts; a request of a session that paces itself is never held. */
export function startUse(moment: Moment, request: AcquireRequest, { session, upstream }: Pin): Use | Refused {
  const { state, nowMs } = moment;
  const { target, tunnel } = request;
  const paceKey = state.paceKey(upstream.outgoingIp, target.site);
  if (session?.traits.pacing === 'client') {
    if (!isCoveredBySlot(session, nowMs)) countUnbooked(moment, session, { paceKey, delayMs: state.delayMs(target) });
    return { paceKey, place: undefined, waitMs: 0, delayMs: 0, nextRequestInMs: undefined };
  }
  const shared = tunnel === undefined ? undefined : joinTunnel(session?.tunnelUses, tunnel, nowMs);
  if (shared !== undefined) {
    const waitMs = Math.max(0, shared.startsAtMs - nowMs);
    return { paceKey, place: shared, waitMs, delayMs: 0, nextRequestInMs: undefined };
  }
  const booking = state.book(upstream.outgoingIp, target, nowMs);
  if ('ok' in booking) return booking;
  if (session !== undefined) {
    session.uses += 1;
    if (tunnel !== undefined) noteTunnel((session.tunnelUses ??= new Map()), tunnel, booking.place);
  }
  const { place, waitMs, nextRequestInMs } = booking;
  return { paceKey, place, waitMs, delayMs: place.delayMs, nextRequestInMs };
}

/** What the one who asked is told of a use that was booked. */
export function grantOf(ticket: string, use: Use, { session, created, upstream }: Pin, nowMs: number): Acquired {
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
    session: session && { id: session.id, created, bancheck: session.traits.bancheck !== false },
  };
}

/** Lets the other sessions of the outgoing IP keep their distance from a request that no slot covers. */
function countUnbooked(
  { state, nowMs }: Moment,
  session: KeptSession,
  { paceKey, delayMs }: { readonly paceKey: string; readonly delayMs: number },
): void {
  state.paces.change(paceKey, nowMs, (pace) => moveClock(pace, { nowMs, delayMs }));
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

function makeSession({ state, nowMs }: Moment, request: AcquireRequest, ref: SessionRef): KeptSession | Refused {
  const { owner, traits } = request;
  if (ref.kind === 'id') return refuse('bad_session_id');
  if (ref.kind === 'create') return state.createSession(request, nowMs);
  if (ref.kind === 'name') return state.createSession({ ...request, traits: { ...traits, name: ref.name } }, nowMs);
  if (state.spentIds.leftMs(`${owner} ${ref.id}`, nowMs) > 0) return refuse('bad_session_id');
  return state.createSession({ ...request, traits: { ...traits, name: ref.id }, isChosen: true }, nowMs);
}
