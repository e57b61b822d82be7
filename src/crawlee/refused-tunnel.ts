// Why a tunnel was refused. Clients see a status at most and browsers not even that, so the gateway is asked what the
// session was refused last; of a server that does not tell, what can be guessed is.

import { WIRE_ERRORS } from '../protocol/wire-errors.js';
import type { RefusalResource } from '../protocol/rest.js';
import type { Core } from './core.js';
import { sessionBanned } from './errors.js';
import type { SeenSession } from './gateway-sessions.js';
import type { Trip } from './gateway-trip.js';
import { hostOf } from './ready-first.js';
import { judgeTunnel, judgeTunnelCode } from './refusal-verdicts.js';
import { excuse, settleRefusal, waitTurn } from './refused-trip.js';

/** What is known of a refused tunnel. */
export interface RefusedTunnel {
  /** Undefined of a browser's. */
  readonly status: number | undefined;
  /** What the gateway tells of its session, asked for after the refusal. */
  readonly seen: SeenSession;
  /** When the request was begun, in milliseconds of the monotonic clock. */
  readonly startedAtMs: number;
  readonly cause: Error;
}

/** Finds out why a tunnel was refused, and does what follows. @returns what to tell Crawlee */
export async function explainTunnel(core: Core, trip: Trip, refused: RefusedTunnel): Promise<Error> {
  const { cause, seen } = refused;
  const { url: targetUrl, proxySessionId } = trip;
  const code =
    seen.lastRefusal !== undefined && isOf(trip, refused, seen.lastRefusal) ? seen.lastRefusal.code : undefined;
  if (code === undefined) return guess(core, trip, refused);
  const verdict = judgeTunnelCode(code, { gatewayUrl: core.address.url, targetUrl, proxySessionId, cause });
  // The wait goes with the session; after other refusals nobody has to wait for it.
  const retryAfterMs = code === 'serverbusy' ? seen.nextUseInMs : undefined;
  return settleRefusal(core, trip, { code, retryAfterMs, verdict });
}

/**
 * Whether a refusal is that of this request. With the status it can be told apart from most others of the session, by
 * its time and host from the rest of them.
 */
function isOf({ url }: Trip, { status, startedAtMs }: RefusedTunnel, { code, host, msAgo }: RefusalResource): boolean {
  // The gateway reckoned before we do, so that we allow a little too much.
  if (msAgo > performance.now() - startedAtMs) return false;
  const known: { readonly status: number } | undefined = WIRE_ERRORS[code];
  // A redirect leads to another host, of which a browser tells nothing.
  return status === undefined ? host === plainHost(url) : status === known?.status;
}

/** As the gateway spells it. */
function plainHost(url: string): string | undefined {
  return hostOf(url)
    ?.replace(/^\[(.+)\]$/, '$1')
    .replace(/\.$/, '');
}

async function guess(core: Core, trip: Trip, { status, seen, cause }: RefusedTunnel): Promise<Error> {
  const ban = status === 503 ? await findBan(core, trip, { seen, cause }) : undefined;
  if (ban !== undefined) return ban;
  const isBusy = status === undefined ? await waitsTooLong(core, seen) : (seen.nextUseInMs ?? 0) > 0;
  const told = status ?? (isBusy ? 503 : 502);
  if (told === 503 && isBusy) await waitTurn(core, trip, seen.nextUseInMs);
  const { error, isSessionFine } = judgeTunnel(told, { targetUrl: trip.url, isBusy, cause });
  if (isSessionFine) excuse(trip);
  return error;
}

/** A wait alone says nothing, for every use makes one; requests are refused once it is longer than they are held. */
async function waitsTooLong({ gateway }: Core, { nextUseInMs = 0 }: SeenSession): Promise<boolean> {
  const delays = (await gateway.upstreams())?.delays;
  return delays !== undefined && nextUseInMs > 0 && nextUseInMs + delays.defaultMs >= delays.maxHoldMs;
}

/**
 * Finds out whether a tunnel was refused because the target has banned the session's outgoing IP, and ends the session
 * then. There is no other call that says so but a booking, which is given back.
 */
async function findBan(
  core: Core,
  trip: Trip,
  { seen, cause }: Pick<RefusedTunnel, 'seen' | 'cause'>,
): Promise<Error | undefined> {
  const { gateway } = core;
  const { proxySessionId, url } = trip;
  const host = hostOf(url);
  if (proxySessionId === undefined || host === undefined) return undefined;
  const delays = (await gateway.upstreams())?.delays;
  // Past what the gateway holds it is a matter of waiting, and a booking more would only be refused like the request.
  const isHeld = (seen.nextUseInMs ?? 0) + (delays?.defaultMs ?? 0) < (delays?.maxHoldMs ?? 0);
  const asked = isHeld ? await gateway.bookSlot(proxySessionId, host).catch(() => undefined) : undefined;
  if (asked === undefined || asked === 'lost') return undefined;
  if ('slot' in asked) {
    await gateway.cancelSlot(proxySessionId, asked.slot);
    return undefined;
  }
  if (asked.code !== 'banned') return undefined;
  core.verdicts.endBanned(trip.session);
  return sessionBanned(proxySessionId, { host, retryAfterMs: asked.retryAfterMs, cause });
}
