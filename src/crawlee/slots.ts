// Slots of the gateway's for the sessions of Crawlee's: how they are booked, and what a refused one means to Crawlee.

import type { Core } from './core.js';
import { gatewayBusy, sessionBanned, sessionLost } from './errors.js';
import type { GatewaySessions } from './gateway-sessions.js';
import { hostOf } from './ready-first.js';
import { SlotPlanner } from './slot-planner.js';
import type { SlotPlannerOptions } from './slot-planner.js';

/** A request that is about to go out in a session. */
export interface SlotQuestion {
  readonly crawleeId: string;
  readonly proxySessionId: string;
  readonly url: string;
}

/** Makes the planner of a configuration. @param told of Crawlee sessions that can't go on, see there */
export function createSlots(
  gateway: GatewaySessions,
  told: Pick<SlotPlannerOptions, 'onLost' | 'onBanned'>,
): SlotPlanner {
  return new SlotPlanner({
    book: (proxySessionId, host) => gateway.bookSlot(proxySessionId, host),
    cancel: (proxySessionId, slot) => gateway.cancelSlot(proxySessionId, slot),
    ...told,
    delays: async () => (await gateway.upstreams())?.delays,
    nowMs: () => performance.now(),
  });
}

/**
 * Waits until a request may go out in its session.
 *
 * @throws ProxySessionError if the gateway has lost the session, or its outgoing IP is banned there; RetryRequestError
 *   where it would have to wait too long, or its upstream is down
 */
export async function awaitSlot(core: Core, { crawleeId, proxySessionId, url }: SlotQuestion): Promise<void> {
  const host = hostOf(url);
  if (core.slots?.isNeeded !== true || host === undefined) return;
  core.lastHost.name = host;
  const refusal = await core.slots.cover(crawleeId, proxySessionId, host);
  if (refusal === undefined) return;
  if (refusal === 'lost') {
    core.bindings.lose(crawleeId, proxySessionId);
    throw sessionLost(proxySessionId);
  }
  if (refusal.code === 'banned') throw sessionBanned(proxySessionId, { host, retryAfterMs: refusal.retryAfterMs });
  if (refusal.code === 'noslaves') {
    const busy = gatewayBusy(`The gateway has no usable upstream for ${url} now; it is tried again later`);
    throw await core.gateway.noWayOut.wait(busy, refusal.retryAfterMs);
  }
  throw gatewayBusy(`The gateway has no start for ${url} within the time it plans ahead; it is tried again later`);
}
