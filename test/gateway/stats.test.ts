import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import http from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';

import { createKeyCheck } from '../../src/gateway/api-keys.js';
import type { GatewayContext } from '../../src/gateway/context.js';
import type { UseSettled } from '../../src/gateway/events.js';
import { type RouteEnv, tellError } from '../../src/gateway/routes/frame.js';
import { statsRoutes } from '../../src/gateway/routes/stats.js';
import { Histogram } from '../../src/gateway/stats/histogram.js';
import { createStats, type Stats, type StatsQuery } from '../../src/gateway/stats/stats.js';
import { cursorToken, readStatsQuery } from '../../src/gateway/stats/stats-query.js';
import { INTERVAL_MS, MAX_AGE_MS, MAX_ROWS } from '../../src/gateway/stats/tallies.js';
import { GatewayError } from '../../src/sessions/errors.js';
import { FakeClock } from '../support/fake-clock.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

/** A quarter of an hour before the end of a month and a year. */
const START_MS = Date.UTC(2023, 11, 31, 23, 45);

const USE: UseSettled = {
  type: 'use.settled',
  owner: 'key',
  kind: 'request',
  method: 'GET',
  target: 'shop.example:443',
  sessionId: undefined,
  upstream: 'a',
  outgoingIp: '192.0.2.1',
  waitMs: 0,
  tookMs: 10,
  status: 200,
  error: undefined,
  retried: false,
  jobId: undefined,
  client: undefined,
  bytesOut: 1,
  bytesIn: 2,
};

const ALL: StatsQuery = {
  startMs: 0,
  endMs: Date.UTC(2100, 0),
  groupBy: undefined,
  hosts: undefined,
  byHost: false,
  limit: 500,
  after: undefined,
};

function createTestStats() {
  const clock = new FakeClock(START_MS);
  const stats = createStats({ clock });
  /** A use from its start to its end. */
  const use = (changed: Partial<UseSettled> = {}): void => {
    const settled = { ...USE, ...changed };
    if (settled.upstream !== undefined) stats.onEvent({ type: 'use.started', owner: settled.owner });
    stats.onEvent(settled);
  };
  return { clock, stats, use };
}

/** What an API key is told, in short. */
function told(stats: Stats, changed: Partial<StatsQuery> = {}, owner = 'key') {
  return stats.query(owner, { ...ALL, ...changed }).results.map(({ startMs, host, tally }) => ({
    at: new Date(startMs).toISOString(),
    host,
    clean: tally.clean,
    banned: tally.banned,
    failed: tally.failed,
    traffic: tally.traffic,
    concurrency: tally.concurrency.percentile(80),
    timeMs: tally.time.percentile(80),
  }));
}

describe('a histogram', () => {
  for (const [name, values, percent, expected] of [
    ['of nothing says 0', [], 80, 0],
    ['of one value says it', [7], 80, 7],
    ['says the lowest value that 80 of 100 do not exceed', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 80, 8],
    ['says the next one where 80 of 100 fall between two', [1, 2, 3, 4, 5, 6], 80, 5],
    ['takes values in any order', [5, 1, 4, 2, 3], 80, 4],
    ['knows the greatest', [3, 30, 3], 100, 30],
    ['tells values to 31 exactly', [31], 80, 31],
    ['tells larger ones as the end of their bucket', [32], 80, 33],
    ['tells 1,000 in a bucket of 32', [1000], 80, 1023],
    ['tells 1,024 in a bucket of 64', [1024], 80, 1087],
    ['tells its largest value', [2 ** 31 - 1], 80, 2 ** 31 - 1],
    ['tells what is beyond it as its largest', [2 ** 40], 80, 2 ** 31 - 1],
    ['takes what is below 0 as 0', [-5], 80, 0],
  ] as const) {
    test(name, () => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      expect(histogram.percentile(percent)).toBe(expected);
    });
  }

  test('is never low, and at most 1/16 high', () => {
    for (let value = 0; value < 2 ** 31; value = Math.ceil((value + 1) * 1.01)) {
      const histogram = new Histogram();
      histogram.record(value);
      const answer = histogram.percentile(80);
      expect(answer).toBeGreaterThanOrEqual(value);
      expect(answer).toBeLessThanOrEqual(value + value / 16);
    }
  });

  test('merged with another is the one that had all values', () => {
    const [all, even, odd] = [new Histogram(), new Histogram(), new Histogram()];
    for (let value = 0; value < 3000; value += 1) {
      all.record((value * 7919) % 5000);
      (value % 2 === 0 ? even : odd).record((value * 7919) % 5000);
    }
    even.merge(odd);
    expect(even).toEqual(all);
  });
});

describe('a use', () => {
  for (const [name, changed, expected] of [
    ['answered by the target is clean', {}, { clean: 1 }],
    ['that the target answered with an error is clean, too', { status: 500 }, { clean: 1 }],
    ['answered by the gateway failed', { status: 502, error: 'econnrefused' }, { failed: 1 }],
    ['that broke off after its answer failed', { status: 200, error: 'econnreset' }, { failed: 1 }],
    ['whose client left before an answer failed', { status: undefined, error: 'client_conn_closed' }, { failed: 1 }],
    ['that ended without a word failed', { status: undefined }, { failed: 1 }],
    ['that met a ban is counted apart', { status: 503, error: 'banned' }, { banned: 1 }],
    ['that was retried counts for its traffic only', { retried: true }, { concurrency: 0, timeMs: 0 }],
    [
      'that was refused has no time and no concurrency',
      { upstream: undefined, status: 400, error: 'bad_session_id' },
      { failed: 1, concurrency: 0, timeMs: 0 },
    ],
    ['of a tunnel has no time', { kind: 'tunnel', tookMs: 90_000 }, { clean: 1, timeMs: 0 }],
  ] as const satisfies readonly (readonly [string, Partial<UseSettled>, object])[]) {
    test(name, () => {
      const { stats, use } = createTestStats();
      use(changed);
      const at = new Date(0).toISOString();
      const counts = { clean: 0, banned: 0, failed: 0, traffic: 3, concurrency: 1, timeMs: 10, ...expected };
      expect(told(stats)).toEqual([{ at, host: '', ...counts }]);
      expect(told(stats, { byHost: true })).toEqual([{ at, host: 'shop.example', ...counts }]);
    });
  }

  test('is seen by its own API key only', () => {
    const { stats, use } = createTestStats();
    use();
    use({ owner: 'other' });
    expect(told(stats)).toMatchObject([{ clean: 1 }]);
    expect(told(stats, {}, 'third')).toEqual([]);
    expect(told(stats, { byHost: true }, 'third')).toEqual([]);
  });

  test('counts once for each use open when it ends, of its own API key', () => {
    const { stats } = createTestStats();
    const start = (owner: string): void => stats.onEvent({ type: 'use.started', owner });
    for (let index = 0; index < 10; index += 1) start('key');
    start('other');
    for (let index = 0; index < 10; index += 1) stats.onEvent({ ...USE, retried: index === 9 });
    stats.onEvent({ ...USE, owner: 'other' });
    // 10, 9, … 2 were open; the last one was retried, and is none the client saw.
    expect(told(stats)).toMatchObject([{ clean: 9, concurrency: 9 }]);
    expect(told(stats, {}, 'other')).toMatchObject([{ clean: 1, concurrency: 1 }]);
    for (let index = 0; index < 40; index += 1) {
      start('key');
      stats.onEvent(USE);
    }
    expect(told(stats)).toMatchObject([{ clean: 49, concurrency: 1 }]);
  });

  test('that was refused leaves the count of open ones alone', () => {
    const { stats } = createTestStats();
    stats.onEvent({ type: 'use.started', owner: 'key' });
    stats.onEvent({ type: 'use.started', owner: 'key' });
    stats.onEvent({ ...USE, upstream: undefined, error: 'noslaves', status: 503 });
    stats.onEvent(USE);
    expect(told(stats)).toMatchObject([{ clean: 1, failed: 1, concurrency: 2 }]);
  });
});

describe('an answer', () => {
  /** Uses of 10 ms, 20 ms, … 60 ms, one every five minutes, over midnight of New Year. */
  function crossNewYear(): Stats {
    const { clock, stats, use } = createTestStats();
    for (let index = 1; index <= 6; index += 1) {
      use({ tookMs: index * 10, target: index % 2 === 0 ? 'b.example:80' : '::1:8080' });
      clock.advance(INTERVAL_MS);
    }
    return stats;
  }

  for (const [groupBy, expected] of [
    [undefined, [['1970-01-01T00:00:00.000Z', 6, 51]]],
    [
      'year',
      [
        ['2023-01-01T00:00:00.000Z', 3, 30],
        ['2024-01-01T00:00:00.000Z', 3, 61],
      ],
    ],
    [
      'month',
      [
        ['2023-12-01T00:00:00.000Z', 3, 30],
        ['2024-01-01T00:00:00.000Z', 3, 61],
      ],
    ],
    [
      'day',
      [
        ['2023-12-31T00:00:00.000Z', 3, 30],
        ['2024-01-01T00:00:00.000Z', 3, 61],
      ],
    ],
    [
      'hour',
      [
        ['2023-12-31T23:00:00.000Z', 3, 30],
        ['2024-01-01T00:00:00.000Z', 3, 61],
      ],
    ],
    [
      'max',
      [
        ['2023-12-31T23:45:00.000Z', 1, 10],
        ['2023-12-31T23:50:00.000Z', 1, 20],
        ['2023-12-31T23:55:00.000Z', 1, 30],
        ['2024-01-01T00:00:00.000Z', 1, 41],
        ['2024-01-01T00:05:00.000Z', 1, 51],
        ['2024-01-01T00:10:00.000Z', 1, 61],
      ],
    ],
  ] as const) {
    test(`by ${groupBy ?? 'nothing'} has ${expected.length} of UTC's intervals`, () => {
      const results = told(crossNewYear(), { groupBy });
      expect(results.map(({ at, clean, timeMs }) => [at, clean, timeMs])).toEqual(expected);
    });
  }

  test('by host has each of them apart, by time and then by host', () => {
    const results = told(crossNewYear(), { groupBy: 'year', byHost: true });
    expect(results.map(({ at, host, clean }) => [at.slice(0, 4), host, clean])).toEqual([
      ['2023', '::1', 2],
      ['2023', 'b.example', 1],
      ['2024', '::1', 1],
      ['2024', 'b.example', 2],
    ]);
  });

  test('about some hosts has those only', () => {
    expect(told(crossNewYear(), { hosts: new Set(['::1', 'none.example']) })).toMatchObject([{ host: '', clean: 3 }]);
    expect(told(crossNewYear(), { hosts: new Set(['none.example']) })).toEqual([]);
  });

  for (const [name, startMs, endMs, clean] of [
    ['has the interval it starts in', START_MS + 1, START_MS + HOUR_MS, 6],
    ['leaves out the interval that ends at its start', START_MS + INTERVAL_MS, START_MS + HOUR_MS, 5],
    ['leaves out the interval that starts at its end', START_MS, START_MS + INTERVAL_MS, 1],
    ['has the interval it ends in', START_MS, START_MS + INTERVAL_MS + 1, 2],
  ] as const) {
    test(name, () => {
      expect(told(crossNewYear(), { startMs, endMs })).toMatchObject([{ clean }]);
    });
  }

  test('about a time without uses is empty', () => {
    expect(told(crossNewYear(), { startMs: START_MS - DAY_MS, endMs: START_MS })).toEqual([]);
  });

  for (const groupBy of [undefined, 'max', 'day'] as const) {
    test(`by ${groupBy ?? 'nothing'} comes page by page, each result once, while the question moves on`, () => {
      const stats = crossNewYear();
      const whole = stats.query('key', { ...ALL, groupBy, byHost: true }).results;
      const seen: string[] = [];
      let after: StatsQuery['after'];
      let moved = 0;
      do {
        moved += 1;
        const page = stats.query('key', { ...ALL, startMs: moved, groupBy, byHost: true, limit: 1, after });
        seen.push(...page.results.map(({ host, tally }) => `${host} ${tally.clean}`));
        after = page.after && readStatsQuery(new URLSearchParams({ after: cursorToken(page.after) }), 0).after;
      } while (after !== undefined && moved < 100);
      expect(seen).toEqual(whole.map(({ host, tally }) => `${host} ${tally.clean}`));
      expect(moved).toBe(whole.length);
    });
  }
});

describe('the room of the counts', () => {
  test('is bounded in time', () => {
    const { clock, stats, use } = createTestStats();
    use();
    clock.advance(MAX_AGE_MS - INTERVAL_MS);
    use();
    expect(told(stats)).toMatchObject([{ clean: 2 }]);
    clock.advance(INTERVAL_MS);
    use();
    expect(told(stats)).toMatchObject([{ clean: 2 }]);
    expect(told(stats, { byHost: true })).toMatchObject([{ clean: 2 }]);
  });

  test('is bounded in rows: the oldest are dropped, and the total of the API key is not', () => {
    const { clock, stats, use } = createTestStats();
    for (let index = 0; index <= MAX_ROWS; index += 1) {
      if (index === 2) clock.advance(INTERVAL_MS);
      use({ target: `h${index}.example:80` });
    }
    expect(told(stats)).toMatchObject([{ clean: MAX_ROWS + 1 }]);
    const hosts = told(stats, { byHost: true, limit: Infinity }).map(({ host }) => host);
    expect(hosts).toHaveLength(MAX_ROWS);
    expect(hosts).not.toContain('h0.example');
    expect(hosts).toContain('h1.example');
  });
});

describe('a question', () => {
  const nowMs = Date.UTC(2024, 0, 31, 12);
  const read = (query: string): StatsQuery => readStatsQuery(new URLSearchParams(query), nowMs);
  const DEFAULTS: StatsQuery = { ...ALL, startMs: nowMs - 7 * DAY_MS, endMs: nowMs };

  for (const [query, expected] of [
    ['', {}],
    ['users=1,2&unknown=x&groupby=&limit=&after=&netlocs=&start_date=', {}],
    ['start_date=2024-01-30', { startMs: Date.UTC(2024, 0, 30) }],
    ['end_date=2024-01-30', { startMs: Date.UTC(2024, 0, 23), endMs: Date.UTC(2024, 0, 30) }],
    ['start_date=2024-01-30T10:00', { startMs: Date.UTC(2024, 0, 30, 10) }],
    ['start_date=2024-01-30T10:00:30.123456', { startMs: Date.UTC(2024, 0, 30, 10, 0, 30, 123) }],
    ['start_date=2024-01-30T10:00:00Z', { startMs: Date.UTC(2024, 0, 30, 10) }],
    ['start_date=2024-01-30T10:00:00%2B02:00', { startMs: Date.UTC(2024, 0, 30, 8) }],
    ['start_date=2024-01-30T10:00:00+0200', { startMs: Date.UTC(2024, 0, 30, 8) }],
    ['start_date=2024-01-30T10:00:00-02:00', { startMs: Date.UTC(2024, 0, 30, 12) }],
    ['groupby=max', { groupBy: 'max' }],
    ['groupby=year', { groupBy: 'year' }],
    ['netlocs=Shop.Example,%20b.example:8080,[::1]:80,::', undefined],
    ['netlocs=Shop.Example,%20b.example:8080,[::1]:80', { hosts: new Set(['shop.example', 'b.example', '::1']) }],
    ['domain-wise=true', { byHost: true }],
    ['domain-wise=false', {}],
    ['limit=1', { limit: 1 }],
    ['limit=500', { limit: 500 }],
    ['limit=501', undefined],
    ['limit=0', undefined],
    ['limit=ten', undefined],
    ['groupby=week', undefined],
    ['domain-wise=1', undefined],
    ['after=nonsense', undefined],
    ['start_date=yesterday', undefined],
    ['start_date=2023-02-30', undefined],
    ['start_date=2023-13-01', undefined],
    ['end_date=2024-01-01T25:00', undefined],
    ['start_date=2024-01-31&end_date=2024-01-30', undefined],
    ['start_date=2024-02-01', undefined],
    ['netlocs=a,,b', undefined],
  ] as const satisfies readonly (readonly [string, Partial<StatsQuery> | undefined])[]) {
    test(`of "${query}" is ${expected === undefined ? 'a bad request' : 'understood'}`, () => {
      if (expected !== undefined) expect(read(query)).toEqual({ ...DEFAULTS, ...expected });
      else expect(() => read(query)).toThrow(expect.objectContaining({ code: 'bad_request' }));
    });
  }

  test('names the parameter and its value where that is bad', () => {
    expect(() => read('limit=ten')).toThrow('limit is "ten"; it takes a number from 1 to 500');
  });
});

describe('GET /stats/', () => {
  /** The route behind the check of API keys, on a free port. */
  async function startRoute(stats: Stats, clock: FakeClock): Promise<string> {
    // The route needs these two of a gateway's parts.
    const context = { authenticate: createKeyCheck(['key-1', 'key-2']), clock } as unknown as GatewayContext;
    const app = new Hono<RouteEnv>({ strict: false });
    app.route('/stats', statsRoutes(context, stats));
    app.onError((error, c) => {
      if (error instanceof GatewayError) return tellError(c, error);
      throw error;
    });
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    const server = http.createServer((req, res) => void listener(req, res));
    const port = await listenOnFreePort(server);
    onTestFinished(() => closeServer(server));
    return `http://127.0.0.1:${port}`;
  }

  function get(url: string, key = 'key-1'): Promise<Response> {
    const authorization = `Basic ${Buffer.from(`${key}:`).toString('base64')}`;
    return fetch(url, { headers: { authorization, connection: 'close' } });
  }

  const ownerOf = (key: string): string => createKeyCheck([key])(key)?.id ?? '';

  test("tells an API key its own uses, in the protocol's words", async () => {
    const { clock, stats, use } = createTestStats();
    for (const error of [undefined, 'banned', 'timeout'] as const) {
      use({ owner: ownerOf('key-1'), error, bytesIn: 100, tookMs: 25 });
    }
    use({ owner: ownerOf('key-2') });
    const url = await startRoute(stats, clock);
    const counts = { clean: 1, failed: 2, concurrency: 1, total_time: 25, traffic: 303 };
    for (const path of ['/stats', '/stats/']) {
      const answer = await get(`${url}${path}?groupby=day&domain-wise=true&end_date=2024-01-01`);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({
        limit: 500,
        after: '',
        results: [{ time_gte: '2023-12-31T00:00:00.000Z', ...counts, domain: 'shop.example' }],
      });
    }
    clock.advance(1);
    const total = { time_gte: new Date(START_MS + 1 - 7 * DAY_MS).toISOString(), ...counts };
    expect(await (await get(`${url}/stats/`)).json()).toEqual({ limit: 500, after: '', results: [total] });
  });

  test('gives a token that continues it', async () => {
    const { clock, stats, use } = createTestStats();
    for (const host of ['a', 'b', 'c']) use({ owner: ownerOf('key-1'), target: `${host}.example:80` });
    clock.advance(1);
    const url = `${await startRoute(stats, clock)}/stats/?domain-wise=true&limit=2`;
    const first = (await (await get(url)).json()) as { after: string };
    expect(first).toMatchObject({ limit: 2, results: [{ domain: 'a.example' }, { domain: 'b.example' }] });
    const second: unknown = await (await get(`${url}&after=${first.after}`)).json();
    expect(second).toMatchObject({ after: '', results: [{ domain: 'c.example' }] });
  });

  test('tells a bad question, a missing key and a wrong method', async () => {
    const { clock, stats } = createTestStats();
    const url = await startRoute(stats, clock);
    const bad = await get(`${url}/stats/?groupby=week`);
    expect([bad.status, bad.headers.get('x-crawlera-error')]).toEqual([400, 'bad_request']);
    expect(await bad.text()).toContain('groupby is "week"');
    expect((await get(`${url}/stats/`, 'key-3')).status).toBe(401);
    const posted = await fetch(`${url}/stats/`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('key-1:').toString('base64')}`, connection: 'close' },
    });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET']);
  });
});
