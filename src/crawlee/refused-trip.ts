// What is done when the gateway has refused a request: a lost session ends or is replaced, a banned one ends, what will
// pass is waited for, and a session that did nothing wrong is spared. What each code means is settled in
// `gateway-answers.ts`, how one comes to know it in `gateway-trip.ts` and `refused-tunnel.ts`.

import { setTimeout } from 'node:timers/promises';

import type { Core } from './core.js';
import { SessionReplaced } from './errors.js';
import type { GatewayAnswer } from './gateway-answers.js';
import type { Trip } from './gateway-trip.js';
import { ProxySession } from './proxy-session.js';
import type { Verdict } from './refusal-verdicts.js';

/** The protocol's own delay, where the server can't be asked for its own; in milliseconds. */
const DEFAULT_DELAY_MS = 12_000;

/** How long a request waits that was one too many for its API key, where the server does not say; in milliseconds. */
const ROOM_WAIT_MS = 1_000;

/** Does what follows from a refusal. @returns what to tell Crawlee, once the request may be sent again */
export async function settleRefusal(
  core: Core,
  trip: Trip,
  { code, retryAfterMs, verdict }: Pick<GatewayAnswer, 'code'> & Partial<GatewayAnswer> & { readonly verdict: Verdict },
): Promise<Error> {
  const { error, isSessionFine } = verdict;
  if (code === 'bad_session_id') return loseSession(core, trip, error);
  // At once, so that no further request is put into it before this one's error arrives.
  if (code === 'banned') core.verdicts.endBanned(trip.session);
  if (isSessionFine) excuse(trip);
  if (code === 'serverbusy') await waitTurn(core, trip, retryAfterMs);
  if (code === 'too_many_conns') await setTimeout(retryAfterMs ?? ROOM_WAIT_MS);
  return code === 'noslaves' ? core.gateway.noWayOut.wait(error, retryAfterMs) : error;
}

/** Waits until a request that was refused may be sent again. */
export async function waitTurn(
  { bindings, gateway, busyTurns, maxHoldMs }: Core,
  trip: Trip,
  waitMs = 0,
): Promise<void> {
  const delayMs = (await gateway.upstreams())?.delays.defaultMs ?? DEFAULT_DELAY_MS;
  const sessionId = trip.session?.id ?? '';
  const outgoingIp = bindings.find(sessionId)?.outgoingIp ?? sessionId;
  await busyTurns.wait(outgoingIp, { waitMs, delayMs, atMostMs: maxHoldMs });
}

/** Ends a Crawlee session with its lost gateway session, or has another made for it. @returns what to tell Crawlee */
export function loseSession({ bindings }: Core, trip: Trip, lost: Error): Error {
  const { session, proxySessionId, replacesLost = false } = trip;
  if (session === undefined) return lost;
  if (replacesLost && proxySessionId !== undefined) {
    bindings.replace(session.id, proxySessionId);
    excuse(trip);
    return new SessionReplaced(proxySessionId, lost);
  }
  bindings.forget(session.id);
  session.retire();
  return lost;
}

/** Spares the session of a request whose failure says nothing about it. */
export function excuse({ session, isNavigation }: Trip): void {
  if (isNavigation && session instanceof ProxySession) session.excuseNextError();
}
