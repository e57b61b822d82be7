// What a memory store does with a session whose upstream is not usable: it moves, waits or ends, by the rules of loss.
// Also what follows when an outgoing IP turns out to be another one than it was taken for.

import { isIP } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { choosePin } from '../sessions/choice.js';
import { fateOf, type Loss, maySucceed, type Mover } from '../sessions/loss.js';
import type { TargetName } from '../sessions/pace-key.js';
import { followClock } from '../sessions/pace.js';
import { leavingBy } from './memory-exits.js';
import type { KeptSession } from './memory-sessions.js';
import type { MemoryState, Moment } from './memory-state.js';
import type { KeptPin } from './pins.js';
import type { LearnedIp, Refused, UpstreamChoice, UpstreamFacts } from './session-store.js';
import { refuse } from './views.js';

/** What a session of that request may leave by. */
interface WaysOut {
  readonly owner: string;
  readonly target: TargetName;
  readonly upstreams: readonly UpstreamChoice[];
  readonly facts?: UpstreamFacts | undefined;
}

/** Makes sure that the upstream of a session is usable. @returns the refusal, where it is not and the session can't move */
export function keepPinned(moment: Moment, session: KeptSession, request: WaysOut): Refused | undefined {
  const { upstreamId } = session.pin;
  if (moment.state.rosters.of(request.upstreams).byId.has(upstreamId)) return undefined;
  const loss: Loss = request.facts?.isListed(upstreamId) === true ? 'down' : 'gone';
  return move(moment, session, { ...request, loss });
}

function move(
  { state, nowMs }: Moment,
  session: KeptSession,
  request: WaysOut & { readonly loss: Loss },
): Refused | undefined {
  const { loss, facts } = request;
  const { traits, pin } = session;
  const mover: Mover = {
    outgoingIp: pin.outgoingIp,
    isIpKnown: isIP(pin.outgoingIp) !== 0,
    place: traits,
    policy: traits.onUpstreamLoss ?? state.settings.sessions.onUpstreamLoss,
  };
  const accepts = (upstream: UpstreamChoice): boolean => maySucceed(upstream, mover);
  const successor = state.choose({ ...request, traits }, { rule: choosePin, accepts }, nowMs);
  if (!('ok' in successor)) {
    moveTo({ state, nowMs }, session, { successor, why: loss });
    return undefined;
  }
  // Others there are, and they may be used again soon: it is not lost yet.
  if (successor.code === 'banned') return successor;
  if (fateOf(loss) === 'waits') return refuse('noslaves', { retryAfterMs: facts?.retryAfterMs(pin.upstreamId) });
  state.end(session, 'lost', nowMs);
  return refuse('bad_session_id');
}

function moveTo(
  { state, nowMs }: Moment,
  session: KeptSession,
  { successor, why }: { readonly successor: UpstreamChoice; readonly why: Loss },
): void {
  const { owner, id, pin } = session;
  const from = pin.outgoingIp;
  state.sessions.repin(session, leavingBy(successor, id));
  const to = session.pin.outgoingIp;
  if (to !== from) session.toldIp ??= from;
  keepSlots({ state, nowMs }, session);
  state.events.emit('event', { type: 'session.moved', owner, sessionId: id, from, to, why });
}

/** The starts that a client has booked stay what they are, and the new clock is not free before they are over. */
function keepSlots({ state, nowMs }: Moment, { pin, slots = [] }: KeptSession): void {
  for (const { clock, place } of slots) {
    if (place.startsAtMs <= nowMs) continue;
    const { site } = clock;
    const freeAtMs = place.startsAtMs + place.delayMs;
    state.paces.change({ outgoingIp: pin.outgoingIp, site }, nowMs, (pace) => followClock(pace, freeAtMs));
  }
}

/**
 * Notes the outgoing IP of an upstream, or of one of its exits. Its sessions have it from now on, and its clock is not
 * free before the one that its uses were on.
 *
 * @returns the sessions to tell where a known address has changed: their pin, and the address it had
 */
export function learn(
  { state, nowMs }: Moment,
  { upstreamId, exit, outgoingIp }: LearnedIp,
): { readonly pin: KeptPin; readonly from: string } | undefined {
  const pin = state.sessions.pins.find(upstreamId, exit);
  const from = pin?.outgoingIp ?? (exit === undefined ? state.rosters.outgoingIpOf(upstreamId) : undefined);
  if (from === undefined || from === outgoingIp) return undefined;
  state.paces.follow(outgoingIp, from, nowMs);
  if (pin === undefined) return undefined;
  state.sessions.pins.rename(pin, outgoingIp);
  return isIP(from) === 0 ? undefined : { pin, from };
}

/**
 * Tells, or ends, the sessions whose outgoing IP has changed. There may be a million sessions to look through, so others
 * get their turn meanwhile; a session that was made since is not meant.
 */
export async function tellChanged(
  state: MemoryState,
  { pin, from, policy, nowMs }: { pin: KeptPin; from: string; policy: LearnedIp['policy']; nowMs: () => number },
): Promise<void> {
  const { lastRank } = state.sessions;
  for (const part of state.sessions.inParts()) {
    for (const session of part) {
      if (session.pin === pin && session.rank <= lastRank)
        tellOne({ state, nowMs: nowMs() }, session, { from, policy });
    }
    // oxlint-disable-next-line no-await-in-loop -- one part after the other is the point
    if (part.length > 0) await setImmediate();
  }
}

function tellOne(
  { state, nowMs }: Moment,
  session: KeptSession,
  { from, policy }: { readonly from: string; readonly policy: LearnedIp['policy'] },
): void {
  const { owner, id, pin } = session;
  session.toldIp ??= from;
  const { upstreamId: upstream, outgoingIp: to } = pin;
  state.events.emit('event', { type: 'session.ip-changed', owner, sessionId: id, upstream, from, to });
  if (policy === 'end') state.end(session, 'ip-changed', nowMs);
}
