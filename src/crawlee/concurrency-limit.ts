// Keeps a crawler from asking for more at a time than its gateway holds. Crawlee sends more and more while there is work;
// past what fits into the longest hold the gateway refuses, and each refused request makes the wait longer for all.

import type { UpstreamList } from '../protocol/rest.js';
import type { GatewaySessions } from './gateway-sessions.js';

/** What the hook is handed. */
export interface LimitedContext {
  readonly crawler: { readonly autoscaledPool?: AdjustablePool };
}

/** The public part of Crawlee's AutoscaledPool that is looked at. */
interface AdjustablePool {
  maxConcurrency: number;
  desiredConcurrency: number;
  readonly minConcurrency: number;
}

/** Crawlers that are limited already, or being so. */
const LIMITED = new WeakSet<object>();

/**
 * Lowers a crawler's concurrency to what the gateway holds, once; a gateway that can't be asked limits nothing.
 */
export async function limitConcurrency(
  { crawler: { autoscaledPool } }: LimitedContext,
  gateway: Pick<GatewaySessions, 'upstreams'>,
): Promise<void> {
  if (autoscaledPool === undefined || LIMITED.has(autoscaledPool)) return;
  LIMITED.add(autoscaledPool);
  const list = await gateway.upstreams();
  if (list === undefined) return;
  const limit = Math.max(concurrencyLimit(list), autoscaledPool.minConcurrency);
  autoscaledPool.maxConcurrency = Math.min(autoscaledPool.maxConcurrency, limit);
  autoscaledPool.desiredConcurrency = Math.min(autoscaledPool.desiredConcurrency, limit);
}

/**
 * How many requests at a time leave by a gateway's outgoing IPs without one that is refused.
 *
 * Ours: half of what fits into the longest hold. Sessions are not spread evenly over the IPs, and what handlers send by
 * themselves comes on top.
 */
export function concurrencyLimit({ upstreams, delays }: UpstreamList): number {
  if (delays.defaultMs === 0) return Infinity;
  const perIp = Math.max(1, Math.floor(delays.maxHoldMs / (2 * delays.defaultMs)));
  return perIp * Math.max(1, new Set(upstreams.map(({ outgoingIp }) => outgoingIp)).size);
}
