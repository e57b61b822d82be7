// How a use of a memory store ends: settled once it has started, or given back before. Whether its session is kept
// follows from that.

import { settleRequest } from '../sessions/session.js';
import { noteClosed } from '../sessions/session-tunnels.js';
import { forgetTunnel } from '../sessions/tunnel-use.js';
import type { KeptSession } from './memory-sessions.js';
import type { Moment } from './memory-state.js';
import type { Pin, Use } from './memory-use.js';
import type { AcquireRequest, UseOutcome } from './session-store.js';

/** A request that is held or running. */
export interface HeldUse extends Pick<Use, 'clock' | 'place'>, Pick<AcquireRequest, 'owner' | 'target' | 'tunnel'> {
  readonly bookedAtMs: number;
  readonly pin: Pin;
  /** What its answer tells of the session's former outgoing IP. */
  readonly formerIp: string | undefined;
}

/** When a use starts, or has started. */
export function startOf({ place, bookedAtMs }: HeldUse): number {
  return place?.startsAtMs ?? bookedAtMs;
}

/** Settles a use that has started. */
export function settleUse(moment: Moment, use: HeldUse, { result, bytesIn, bytesOut }: UseOutcome): void {
  const { state, nowMs } = moment;
  const { owner, target, pin } = use;
  const { session } = pin;
  const isBanned = result === 'banned';
  if (isBanned) state.cooldowns.start(owner, pin.leaving.outgoingIp, target.site, nowMs);
  if (session === undefined) return;
  session.bytesIn += bytesIn;
  session.bytesOut += bytesOut;
  if (result === 'answered') session.isKept = true;
  else session.toldIp ??= use.formerIp;
  close(moment, session, use, startOf(use));
  if (result !== 'retried') dropUnused(moment, session);
  if (isBanned) ban(moment, session);
}

/** Gives back a use that has not started; those behind it move up. */
export function giveBackUse(moment: Moment, use: HeldUse): void {
  const { state, nowMs } = moment;
  const { clock, place, tunnel } = use;
  const { session } = use.pin;
  if (place !== undefined) state.giveBack(clock, place, nowMs);
  if (session === undefined) return;
  session.toldIp ??= use.formerIp;
  if (place?.sharers === 0) {
    session.uses -= 1;
    if (tunnel !== undefined) forgetTunnel(session.tunnelUses, tunnel, place);
  }
  close(moment, session, use, undefined);
  dropUnused(moment, session);
}

/** Ends a session that was made for a use, when none is left that may yet have an answer. */
export function dropUnused({ state, nowMs }: Moment, session: KeptSession): void {
  if (session.isKept || session.openUses > 0) return;
  state.end(session, 'unused', nowMs);
}

/** @param sentAtMs undefined: it was never sent */
function close(
  { state, nowMs }: Moment,
  session: KeptSession,
  { tunnel }: HeldUse,
  sentAtMs: number | undefined,
): void {
  settleRequest(session, sentAtMs);
  if (tunnel !== undefined) noteClosed(session.tunnels, tunnel, nowMs);
  state.sessions.reorder(session);
}

function ban({ state, nowMs }: Moment, session: KeptSession): void {
  session.isBanned = true;
  if (state.settings.sessions.onBan === 'sticky') return;
  state.end(session, 'banned', nowMs);
}
