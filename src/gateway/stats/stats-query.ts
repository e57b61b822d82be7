// The question of `GET /stats/` as it is spelled in a URL, and the token that continues its answer.

import { GatewayError } from '../../sessions/errors.js';
import { readTarget } from '../../upstreams/target-address.js';
import type { GroupBy, StatsCursor, StatsQuery } from './stats.js';

const DEFAULT_AGE_MS = 7 * 24 * 3600_000;

/** Results of one page: the default, and the most that can be asked for. */
export const MAX_LIMIT = 500;

const GROUPS: ReadonlySet<string> = new Set<GroupBy>(['max', 'hour', 'day', 'month', 'year']);

/** A date, or a date and a time; Python writes microseconds. */
const DATE_TIME =
  /^(?<date>\d{4}-\d{2}-\d{2})(?:T(?<time>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(?<zone>Z|[+-]\d{2}:?\d{2})?)?$/;

const CURSOR = /^(?<startMs>-?\d{1,16}) (?<host>\S*)$/;

/**
 * Reads a question. A parameter that is empty counts as absent; `users` has no meaning where an API key sees its own
 * uses only, and is ignored, as unknown parameters are.
 *
 * @throws GatewayError `bad_request` for a value that is none of those it takes
 * @see https://docs.zyte.com/smart-proxy-manager/stats.html
 */
export function readStatsQuery(params: URLSearchParams, nowMs: number): StatsQuery {
  const given = (name: string): string | undefined => params.get(name) || undefined;
  const endMs = readDate('end_date', given('end_date')) ?? nowMs;
  const startMs = readDate('start_date', given('start_date')) ?? endMs - DEFAULT_AGE_MS;
  if (startMs > endMs) {
    throw bad(`start_date, ${new Date(startMs).toISOString()}, is after end_date, ${new Date(endMs).toISOString()}`);
  }
  return {
    startMs,
    endMs,
    groupBy: readGroupBy(given('groupby')),
    hosts: readHosts(given('netlocs')),
    byHost: readFlag('domain-wise', given('domain-wise')),
    limit: readLimit(given('limit')),
    after: readCursor(given('after')),
  };
}

/** Writes where a page ended, as the `after` of the next one. */
export function cursorToken({ startMs, host }: StatsCursor): string {
  return Buffer.from(`${startMs} ${host}`).toString('base64url');
}

function readCursor(token: string | undefined): StatsCursor | undefined {
  if (token === undefined) return undefined;
  const groups = CURSOR.exec(Buffer.from(token, 'base64url').toString())?.groups;
  if (groups === undefined) throw bad(`after is "${shorten(token)}"; it takes the "after" of the page before`);
  return { startMs: Number(groups['startMs']), host: groups['host'] ?? '' };
}

/** Reads an ISO 8601 date; without a time it is midnight, without a zone UTC. */
function readDate(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  // A plus that was not escaped in the URL arrives as a blank.
  const { date, time = '00:00', zone = 'Z' } = DATE_TIME.exec(text.replace(' ', '+'))?.groups ?? {};
  const dateMs = Date.parse(`${date}T00:00Z`);
  const timeMs = Date.parse(`${date}T${time}${zone}`);
  // The second check is for 30 February, which parses as a day in March.
  if (Number.isNaN(timeMs) || new Date(dateMs).toISOString().slice(0, 10) !== date) {
    throw bad(`${name} is "${shorten(text)}"; it takes an ISO 8601 date, such as 2024-01-31 or 2024-01-31T12:00:00Z`);
  }
  return timeMs;
}

function readGroupBy(text: string | undefined): GroupBy | undefined {
  if (text === undefined || GROUPS.has(text)) return text as GroupBy | undefined;
  throw bad(`groupby is "${shorten(text)}"; it takes one of ${[...GROUPS].join(', ')}`);
}

/** Reads hosts; a port may stand behind, as Python's `netloc` has it, and tells nothing: counts are per host. */
function readHosts(text: string | undefined): ReadonlySet<string> | undefined {
  if (text === undefined) return undefined;
  const hosts = text.split(',').map((netloc) => {
    const host = readTarget(netloc.trim(), 80)?.host;
    if (host === undefined) throw bad(`netlocs has "${shorten(netloc)}"; it takes hosts with commas between`);
    return host;
  });
  return new Set(hosts);
}

function readFlag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw bad(`${name} is "${shorten(text)}"; it takes true or false`);
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return MAX_LIMIT;
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw bad(`limit is "${shorten(text)}"; it takes a number from 1 to ${MAX_LIMIT}`);
}

function shorten(text: string): string {
  return text.slice(0, 60);
}

function bad(message: string): GatewayError {
  return new GatewayError('bad_request', message);
}
