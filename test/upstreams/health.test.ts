import { describe, expect, test } from 'vitest';

import { type Blame, GatewayError } from '../../src/sessions/errors.js';
import { HealthBook } from '../../src/upstreams/health.js';
import type { HealthEvent, Watch } from '../../src/upstreams/health-page.js';
import { FakeClock } from '../support/fake-clock.js';

const ID = 'proxy.example:3128';

/** A book whose time is the test's. */
function openBook() {
  const clock = new FakeClock();
  const events: HealthEvent[] = [];
  const timers = new Set<{ readonly atMs: number; readonly run: () => void }>();
  const book = new HealthBook({
    nowMs: () => clock.nowMs(),
    random: () => 0.5,
    emit: (event) => events.push(event),
    later: (run, delayMs) => {
      const timer = { atMs: clock.nowMs() + delayMs, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  });
  const advance = (byMs: number): void => {
    clock.advance(byMs);
    for (const timer of timers) {
      if (timer.atMs > clock.nowMs()) continue;
      timers.delete(timer);
      timer.run();
    }
  };
  return { book, events, timers, advance };
}

function fail(watch: Watch, over: { blame?: Blame; host?: string; exit?: string; isTrial?: boolean } = {}): void {
  const { blame, host = 'shop.example', exit, isTrial = false } = over;
  const error = new GatewayError('timeout', 'Connecting to upstream failed', { blame });
  watch.failed({ error, host, exit }, isTrial);
}

function failTimes(watch: Watch, times: number, over: Parameters<typeof fail>[1] = {}): void {
  for (let done = 0; done < times; done += 1) fail(watch, over);
}

/** A watch whose upstream has just gone down for 1 s. */
function openDown() {
  const opened = openBook();
  const watch = opened.book.watch(ID, false);
  failTimes(watch, 3, { blame: 'refused' });
  return { ...opened, watch };
}

describe('an upstream goes down after', () => {
  for (const [name, failures] of [
    ['three refusals', (watch: Watch) => failTimes(watch, 3, { blame: 'refused' })],
    ['five failures of its own', (watch: Watch) => failTimes(watch, 5, { blame: 'failed' })],
    [
      'no answer from five targets',
      (watch: Watch) => ['a', 'b', 'c', 'd', 'e'].forEach((host) => fail(watch, { host })),
    ],
    [
      'failures of five of its exits',
      (watch: Watch) => ['a', 'b', 'c', 'd', 'e'].forEach((exit) => fail(watch, { exit, blame: 'failed' })),
    ],
    [
      'three refusals, all met on the way to one exit',
      (watch: Watch) => failTimes(watch, 3, { blame: 'refused', exit: 'a' }),
    ],
  ] as const) {
    test(name, () => {
      const { book, events } = openBook();
      failures(book.watch(ID, false));
      expect(book.isUsable(ID)).toBe(false);
      expect(book.retryAfterMs(ID)).toBe(1_000);
      expect(events).toEqual([
        {
          type: 'upstream.down',
          upstream: ID,
          error: 'timeout',
          message: 'Connecting to upstream failed',
          retryInMs: 1_000,
        },
      ]);
    });
  }
});

describe('an upstream stays up after', () => {
  for (const [name, isOwnAddress, failures] of [
    ['two refusals', false, (watch: Watch) => failTimes(watch, 2, { blame: 'refused' })],
    ['any number of timeouts of one target', false, (watch: Watch) => failTimes(watch, 50)],
    [
      'any number of failures of one exit',
      false,
      (watch: Watch) => failTimes(watch, 50, { exit: 'a', blame: 'failed' }),
    ],
    ['any number of failures of targets', false, (watch: Watch) => failTimes(watch, 50, { blame: 'target' })],
    [
      'timeouts of five targets, where it is an address of this machine',
      true,
      (watch: Watch) => ['a', 'b', 'c', 'd', 'e'].forEach((host) => fail(watch, { host })),
    ],
    [
      'failures with a success between them',
      false,
      (watch: Watch) => {
        failTimes(watch, 2, { blame: 'refused' });
        watch.succeeded();
        failTimes(watch, 2, { blame: 'refused' });
      },
    ],
  ] as const) {
    test(name, () => {
      const { book, events } = openBook();
      failures(book.watch(ID, isOwnAddress));
      expect(book.isUsable(ID)).toBe(true);
      expect(events).toEqual([]);
    });
  }
});

describe('an upstream that is down', () => {
  test('refuses uses and says when to come again, without the pause growing', () => {
    const { watch, advance, book } = openDown();
    advance(400);
    expect(() => watch.begin()).toThrow(expect.objectContaining({ code: 'noslaves', retryAfterMs: 600 }));
    expect(book.retryAfterMs(ID)).toBe(600);
  });

  test('is told of as usable when its pause is over, to let one use through', () => {
    const { watch, advance, book } = openDown();
    const told: boolean[] = [];
    book.onChange((id) => told.push(book.isUsable(id)));
    advance(1_000);
    expect(told).toEqual([true]);
    expect(watch.begin()).toBe(true);
    expect(told).toEqual([true, false]);
    expect(() => watch.begin()).toThrow(GatewayError);
  });

  test('is up after a trial that succeeds, which is told once', () => {
    const { watch, advance, book, events, timers } = openDown();
    advance(1_000);
    watch.begin();
    watch.succeeded();
    watch.succeeded();
    expect(book.isUsable(ID)).toBe(true);
    expect(events.map(({ type }) => type)).toEqual(['upstream.down', 'upstream.up']);
    expect(timers.size).toBe(0);
  });

  test('stays down for twice as long after a trial that fails, which is not told again', () => {
    const { watch, advance, book, events } = openDown();
    advance(1_000);
    fail(watch, { blame: 'refused', isTrial: watch.begin() });
    expect(book.retryAfterMs(ID)).toBe(2_000);
    expect(events).toHaveLength(1);
  });

  test('gives the trial to the next use where the client of the first has left', () => {
    const { watch, advance, book } = openDown();
    advance(1_000);
    const isTrial = watch.begin();
    watch.failed(
      { error: new GatewayError('client_conn_closed', 'left'), host: 'shop.example', exit: undefined },
      isTrial,
    );
    expect(book.isUsable(ID)).toBe(true);
    expect(watch.begin()).toBe(true);
  });

  test('is not judged by uses that had begun before the trial', () => {
    const { watch, advance, book } = openDown();
    advance(1_000);
    watch.begin();
    fail(watch, { blame: 'refused' });
    expect(book.healthOf(ID).state).toBe('trial');
  });

  test('is up at once where a use that had begun before succeeds', () => {
    const { watch, book } = openDown();
    watch.succeeded();
    expect(book.healthOf(ID)).toMatchObject({ state: 'up', retryAfterMs: 0, message: undefined });
  });
});

test('a watch that was replaced changes nothing any more', () => {
  const { watch, book, events, timers } = openDown();
  const second = book.watch(ID, false);
  expect(book.isUsable(ID)).toBe(true);
  failTimes(watch, 9, { blame: 'refused' });
  watch.succeeded();
  expect(book.isUsable(ID)).toBe(true);
  expect(events).toHaveLength(1);
  expect(timers.size).toBe(0);
  book.forget(ID, watch);
  failTimes(second, 3, { blame: 'refused' });
  expect(book.isUsable(ID)).toBe(false);
});

test('a closed book leaves no clock running', () => {
  const { book, timers } = openDown();
  expect(timers.size).toBe(1);
  book.close();
  expect(timers.size).toBe(0);
});
