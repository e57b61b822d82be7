// Probes through real upstreams, at a time that the test moves.

import http from 'node:http';
import { expect, onTestFinished, test } from 'vitest';

import { HealthBook } from '../../src/upstreams/health.js';
import type { HealthEvent } from '../../src/upstreams/health-page.js';
import { Prober } from '../../src/upstreams/probe.js';
import type { Upstream } from '../../src/upstreams/upstream.js';
import { watchUpstream } from '../../src/upstreams/watched-upstream.js';
import { FakeClock } from '../support/fake-clock.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';
import { closeLater, failureOf, openUpstream, send } from './open-upstream.js';

const MINUTE = 60_000;

/** A clock with timers, both moved by the test. */
function createTimers() {
  const clock = new FakeClock();
  const timers = new Set<{ readonly atMs: number; readonly run: () => void }>();
  const later = (run: () => void, delayMs: number): (() => void) => {
    const timer = { atMs: clock.nowMs() + delayMs, run };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const advance = (byMs: number): void => {
    const endMs = clock.nowMs() + byMs;
    for (;;) {
      const [next] = [...timers].toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      clock.advance(Math.max(0, next.atMs - clock.nowMs()));
      timers.delete(next);
      next.run();
    }
    clock.advance(endMs - clock.nowMs());
  };
  return { nowMs: () => clock.nowMs(), later, advance, timers };
}

/** What is probed for; it tells who asked. */
async function startTarget() {
  const from: string[] = [];
  const waiting = new Set<() => void>();
  const server = http.createServer((req, res) => {
    from.push(req.socket.remoteAddress ?? '');
    for (const check of waiting) check();
    res.end('fine');
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  const askedBy = (count: number): Promise<readonly string[]> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (from.length >= count) resolve(from);
      };
      waiting.add(check);
      check();
    });
  return { url: `http://127.0.0.1:${port}/`, askedBy, from };
}

/** A prober over these upstreams, of 6 probes a minute for what was silent for 5 minutes. */
function openProber(configs: readonly string[], url: string) {
  const timers = createTimers();
  const events: HealthEvent[] = [];
  let onUp = (): void => undefined;
  const health = new HealthBook({
    nowMs: timers.nowMs,
    random: () => 0.5,
    later: timers.later,
    emit: (event) => {
      events.push(event);
      if (event.type === 'upstream.up') onUp();
    },
  });
  const upstreams: readonly Upstream[] = configs.map((config) => {
    const isOwnAddress = config.startsWith('local:');
    return watchUpstream(openUpstream(config), health, { isOwnAddress });
  });
  const prober = new Prober({
    url,
    verify: true,
    intervalMs: 5 * MINUTE,
    perMinute: 6,
    nowMs: timers.nowMs,
    random: () => 0,
    later: timers.later,
    health,
    upstreams: () => upstreams,
  });
  onTestFinished(() => {
    prober.close();
    health.close();
  });
  const up = new Promise<void>((resolve) => (onUp = resolve));
  return { ...timers, upstreams, health, events, prober, up };
}

test('upstreams that nobody uses are asked when they were silent for long, each once, spread out', async () => {
  const target = await startTarget();
  const configs = ['local://127.0.0.11', 'local://127.0.0.12', 'local://127.0.0.13'];
  const { advance } = openProber(configs, target.url);
  advance(5 * MINUTE - 1);
  expect(target.from).toEqual([]);
  advance(1);
  expect(await target.askedBy(1)).toEqual(['127.0.0.11']);
  advance(9_999);
  expect(target.from).toHaveLength(1);
  advance(1);
  expect(await target.askedBy(2)).toEqual(['127.0.0.11', '127.0.0.12']);
  advance(10_000);
  expect(await target.askedBy(3)).toHaveLength(3);
  advance(4 * MINUTE);
  expect(target.from).toHaveLength(3);
});

test('an upstream that is used is not asked', async () => {
  const target = await startTarget();
  const { advance, upstreams } = openProber(['local://127.0.0.11'], target.url);
  const { port } = new URL(target.url);
  advance(4 * MINUTE);
  const [upstream] = upstreams;
  if (upstream === undefined) throw new Error('no upstream');
  (await send(upstream, { host: '127.0.0.1', port: Number(port) })).resume();
  advance(4 * MINUTE);
  expect(target.from).toHaveLength(1);
});

test('the budget is kept, whatever there is to ask', async () => {
  const target = await startTarget();
  const configs = Array.from({ length: 50 }, (_, index) => `local://127.0.1.${index + 1}`);
  const { advance } = openProber(configs, target.url);
  advance(5 * MINUTE);
  await target.askedBy(1);
  advance(MINUTE);
  expect(await target.askedBy(7)).toHaveLength(7);
});

test('one that is down is asked as soon as its pause is over, before those that are idle, and is up again', async () => {
  const target = await startTarget();
  let isBroken = true;
  const proxy = closeLater(
    await createRawTarget(({ socket }) =>
      socket.on('data', () => {
        if (isBroken) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      }),
    ),
  );
  const opened = openProber(['local://127.0.0.11', `http://127.0.0.1:${proxy.port}`], target.url);
  const { advance, upstreams, health, events, up } = opened;
  advance(5 * MINUTE - 1);
  const broken = upstreams[1];
  if (broken === undefined) throw new Error('no upstream');
  for (let sent = 0; sent < 5; sent += 1) {
    // oxlint-disable-next-line no-await-in-loop
    await failureOf(send(broken, { host: 'shop.test', port: 80 }));
  }
  expect(health.healthOf(broken.id).state).toBe('down');
  isBroken = false;
  // Its pause is 1 s, so at the first turn it is down, and the idle one has it.
  advance(1);
  expect(await target.askedBy(1)).toEqual(['127.0.0.11']);
  advance(10_000);
  await up;
  expect(health.healthOf(broken.id).state).toBe('up');
  expect(events.map(({ type }) => type)).toEqual(['upstream.down', 'upstream.up']);
});

test('a URL that nobody answers takes no upstream down', async () => {
  const { advance, health, upstreams } = openProber(
    Array.from({ length: 6 }, (_, index) => `local://127.0.1.${index + 1}`),
    `http://127.0.0.1:${await closedPort()}/`,
  );
  for (let turns = 0; turns < 20; turns += 1) {
    advance(5 * MINUTE);
    // oxlint-disable-next-line no-await-in-loop
    await new Promise(setImmediate);
  }
  expect(upstreams.every(({ id }) => health.isUsable(id))).toBe(true);
});

test('a closed prober leaves no clock running', async () => {
  const { prober, timers } = openProber(['local://127.0.0.11'], 'http://127.0.0.1:9/');
  expect(timers.size).toBe(1);
  prober.close();
  expect(timers.size).toBe(0);
});
