// What the uses of each API key came to: counted from the events of the gateway, and asked for by interval and host.
// Reads no request; how the question is spelled is the business of `stats-query.ts`.

import type { Clock } from '../../stores/clock.js';
import type { EventSink, UseSettled } from '../events.js';
import { INTERVAL_MS, Series, sumOf, type Tally } from './tallies.js';

/** Length of the intervals that are told; `max` is the finest there is, five minutes. Days and above are UTC's. */
export type GroupBy = 'max' | 'hour' | 'day' | 'month' | 'year';

/** Where a page of results ended. */
export interface StatsCursor {
  readonly startMs: number;
  readonly host: string;
}

/** What is asked for. */
export interface StatsQuery {
  /** Inclusive, in epoch milliseconds; the interval of five minutes that it falls in counts whole. */
  readonly startMs: number;
  /** Exclusive; as above. */
  readonly endMs: number;
  /** Undefined: one total over the whole time. */
  readonly groupBy: GroupBy | undefined;
  /** Undefined: all. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** Whether each host is told apart. */
  readonly byHost: boolean;
  readonly limit: number;
  /** Undefined: from the start. */
  readonly after: StatsCursor | undefined;
}

/** The counts of one interval. Nothing is told of an interval without uses. */
export interface StatsResult {
  readonly startMs: number;
  /** Empty: all that were asked for. */
  readonly host: string;
  readonly tally: Tally;
}

/** Results by time, then by host. */
export interface StatsPage {
  readonly results: readonly StatsResult[];
  /** Undefined: these were the last. */
  readonly after: StatsCursor | undefined;
}

/** Counts, and answers. */
export interface Stats {
  readonly onEvent: EventSink;
  /** Reads all rows of one series once: 30,000 take 15 to 50 ms. */
  readonly query: (owner: string, query: StatsQuery) => StatsPage;
}

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

/** The start of the group that a row falls in. */
const START_OF: Readonly<Record<GroupBy, (rowMs: number) => number>> = {
  max: (rowMs) => rowMs,
  hour: (rowMs) => rowMs - (rowMs % HOUR_MS),
  day: (rowMs) => rowMs - (rowMs % DAY_MS),
  month: (rowMs) => Date.UTC(new Date(rowMs).getUTCFullYear(), new Date(rowMs).getUTCMonth()),
  year: (rowMs) => Date.UTC(new Date(rowMs).getUTCFullYear(), 0),
};

/**
 * Makes the counts of a gateway, empty. They live in memory: 31 days of five-minute intervals in two series, one row per
 * interval and API key, and one per interval, API key and host. Each series has at most 30,000 rows, the oldest dropped
 * first; so the counts of a key last when it crawls more hosts than there is room for. A busy row takes about 1.4 KB,
 * and all of them 85 MB.
 *
 * All counts of a use fall where it ends. Concurrency is how many uses its API key had open then, itself included:
 * the same values as at the starts, since the count passes each step upward as often as downward.
 */
export function createStats({ clock }: { readonly clock: Clock }): Stats {
  const totals = new Series();
  const byHost = new Series();
  // Bounded by the API keys there are.
  const open = new Map<string, number>();
  return {
    onEvent: (event) => {
      if (event.type === 'use.started') open.set(event.owner, (open.get(event.owner) ?? 0) + 1);
      if (event.type !== 'use.settled') return;
      const { owner } = event;
      const nowMs = clock.nowMs();
      const concurrency = open.get(owner) ?? 0;
      // Without an upstream it was refused, and never started.
      if (event.upstream !== undefined) open.set(owner, Math.max(0, concurrency - 1));
      count(totals.tallyOf({ owner, host: '', nowMs }), event, concurrency);
      count(byHost.tallyOf({ owner, host: hostOf(event.target), nowMs }), event, concurrency);
    },
    query: (owner, query) => {
      const series = query.byHost || query.hosts !== undefined ? byHost : totals;
      return pageOf(groupsOf(series, owner, query), query);
    },
  };
}

/**
 * Counts a use. Clean is what the target answered. Ours: a use whose client left is failed if there was an error of it
 * or no answer, so that clean, banned and failed make up all uses; a tunnel has no time, for it lasts as long as its
 * client likes; nor has a use that was refused.
 */
function count(tally: Tally, use: UseSettled, concurrency: number): void {
  tally.traffic += use.bytesIn + use.bytesOut;
  if (use.retried) return;
  if (use.error === 'banned') tally.banned += 1;
  else if (use.error === undefined && use.status !== undefined) tally.clean += 1;
  else tally.failed += 1;
  if (use.upstream === undefined) return;
  tally.concurrency.record(concurrency);
  if (use.kind === 'request') tally.time.record(use.tookMs);
}

/** Tallies that are told as one. */
interface Group extends StatsCursor {
  readonly tallies: Tally[];
}

function groupsOf(series: Series, owner: string, query: StatsQuery): Group[] {
  const groups = new Map<string, Group>();
  for (const row of series.rows()) {
    if (row.owner !== owner || row.startMs + INTERVAL_MS <= query.startMs || row.startMs >= query.endMs) continue;
    if (query.hosts !== undefined && !query.hosts.has(row.host)) continue;
    const startMs = query.groupBy === undefined ? query.startMs : START_OF[query.groupBy](row.startMs);
    const host = query.byHost ? row.host : '';
    const key = `${startMs} ${host}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { startMs, host, tallies: [row.tally] });
    else group.tallies.push(row.tally);
  }
  return [...groups.values()];
}

function pageOf(groups: readonly Group[], { limit, after, groupBy }: StatsQuery): StatsPage {
  // The start of a total is that of the question, which moves on by itself where it is "7 days ago".
  const rankOf = ({ startMs }: StatsCursor): number => (groupBy === undefined ? 0 : startMs);
  const compare = (a: StatsCursor, b: StatsCursor): number =>
    rankOf(a) - rankOf(b) || (a.host < b.host ? -1 : Number(a.host > b.host));
  const rest = groups.filter((group) => after === undefined || compare(group, after) > 0).sort(compare);
  // Merged here, since only what is told is worth the time.
  const results = rest.slice(0, limit).map(({ startMs, host, tallies }) => ({ startMs, host, tally: sumOf(tallies) }));
  return { results, after: rest.length > limit ? results.at(-1) : undefined };
}

/** @param target `host:port`, an IPv6 host without brackets */
function hostOf(target: string): string {
  return target.slice(0, target.lastIndexOf(':'));
}
