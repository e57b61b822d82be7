// The protocol's statistics: an API key asks what its own uses came to.

import { Hono } from 'hono';
import type { GatewayContext } from '../context.js';
import type { StatsResult, Stats } from '../stats/stats.js';
import { cursorToken, readStatsQuery } from '../stats/stats-query.js';
import { needsApiKey, onlyMethods, type RouteEnv } from './frame.js';

/** One interval, as the protocol tells it: counts are whole, `concurrency` and `total_time` 80th percentiles. */
interface WireResult {
  /** Start of the interval, ISO 8601. */
  readonly time_gte: string;
  readonly clean: number;
  readonly failed: number;
  readonly concurrency: number;
  /** Milliseconds. */
  readonly total_time: number;
  /** Bytes both ways. */
  readonly traffic: number;
  readonly domain?: string;
}

/** Answer of `GET /stats/`; `after` continues it, and is empty at its end. */
interface WireStats {
  readonly limit: number;
  readonly after: string;
  readonly results: readonly WireResult[];
}

const PERCENT = 80;

/**
 * `GET /stats/`, with the slash or without.
 *
 * @see https://docs.zyte.com/smart-proxy-manager/stats.html
 */
export function statsRoutes(context: GatewayContext, stats: Stats): Hono<RouteEnv> {
  const routes = new Hono<RouteEnv>();
  routes.use(needsApiKey(context));
  routes.get('/', (c) => {
    const query = readStatsQuery(new URL(c.req.url).searchParams, context.clock.nowMs());
    const { results, after } = stats.query(c.get('owner'), query);
    return c.json({
      limit: query.limit,
      after: after === undefined ? '' : cursorToken(after),
      results: results.map((result) => wireResult(result)),
    } satisfies WireStats);
  });
  routes.all('/', onlyMethods('GET'));
  return routes;
}

function wireResult({ startMs, host, tally }: StatsResult): WireResult {
  return {
    time_gte: new Date(startMs).toISOString(),
    clean: tally.clean,
    failed: tally.failed + tally.banned,
    concurrency: tally.concurrency.percentile(PERCENT),
    total_time: tally.time.percentile(PERCENT),
    traffic: tally.traffic,
    ...(host === '' ? {} : { domain: host }),
  };
}
