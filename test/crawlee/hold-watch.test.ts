// The one warning of the drop-in: that the gateway holds requests for longer than Crawlee waits.

import { log } from 'crawlee';
import { expect, onTestFinished, test, vi } from 'vitest';

import { HoldWatch } from '../../src/crawlee/hold-watch.js';
import type { GatewaySessions } from '../../src/crawlee/gateway-sessions.js';
import type { UpstreamList } from '../../src/protocol/rest.js';

function listOf(delaySecs: number): UpstreamList {
  return {
    upstreams: ['127.0.0.2', '127.0.0.3', '127.0.0.3'].map((outgoingIp, index) => ({
      name: `way ${index}`,
      outgoingIp,
      country: null,
      sessions: 1,
    })),
    delays: { defaultMs: delaySecs * 1000, scope: 'ip', perDomain: false, maxHoldMs: 900_000 },
  };
}

/** A watch over a gateway that tells these waits one after the other, on a clock of its own. */
function watch(waits: readonly (number | undefined)[], { list }: { readonly list: UpstreamList | undefined }) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const nextUseInMs = vi.fn<GatewaySessions['nextUseInMs']>();
  for (const wait of waits) nextUseInMs.mockResolvedValueOnce(wait);
  const upstreams = vi.fn<GatewaySessions['upstreams']>().mockResolvedValue(list);
  const logger = log.child({ prefix: 'SessionProxy' });
  const warning = vi.spyOn(logger, 'warning').mockImplementation(() => undefined);
  const holdWatch = new HoldWatch({ nextUseInMs, upstreams }, logger);
  onTestFinished(() => holdWatch.close());
  return { holdWatch, nextUseInMs, upstreams, warnings: () => warning.mock.calls.map(([message]) => message) };
}

for (const [name, delaySecs, nextUseInSecs, isTold] of [
  ['one request at a time, each held for the delay of 12 s', 12, 23, false],
  ['two at a time, the second held for 24 s', 12, 35, true],
  ['one at a time, each held for a delay of 30 s', 30, 59, true],
  ['five waiting for one IP with a delay of 3 s, and more to come', 3, 17, true],
  ['three waiting for one IP with a delay of 3 s', 3, 11, false],
  ['nothing waiting', 12, 11, false],
  ['a session that was not used yet', 12, 0, false],
] as const) {
  test(`${name}: ${isTold ? 'told' : 'not told'}`, async () => {
    const { holdWatch, warnings } = watch([nextUseInSecs * 1000], { list: listOf(delaySecs) });
    holdWatch.look('1');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(warnings()).toHaveLength(isTold ? 1 : 0);
  });
}

test('a long hold is told once, with numbers and cure', async () => {
  const { holdWatch, nextUseInMs, upstreams, warnings } = watch([48_000, 60_000], { list: listOf(12) });
  holdWatch.look('1');
  await vi.advanceTimersByTimeAsync(1_000);
  holdWatch.look('1');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(warnings()).toEqual([
    '48 s until the next use: delay 12 s, 2 outgoing IPs, Crawlee gives up after 30 s; ' +
      'use httpCrawlerOptions(), more upstreams or a shorter delay',
  ]);
  expect(nextUseInMs).toHaveBeenCalledOnce();
  expect(upstreams).toHaveBeenCalledOnce();
});

test('the gateway is asked at most once a second, however many requests there are', async () => {
  const { holdWatch, nextUseInMs } = watch([], { list: listOf(12) });
  for (let index = 0; index < 100; index += 1) holdWatch.look(String(index));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(nextUseInMs).toHaveBeenCalledExactlyOnceWith('0');
});

test('it is told without the numbers where these can not be had', async () => {
  const { holdWatch, warnings } = watch([21_400], { list: undefined });
  holdWatch.look('1');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(warnings()).toEqual([expect.stringMatching(/^21 s until the next use: Crawlee gives up after 30 s; use /)]);
});

test('nothing is asked after close()', async () => {
  const { holdWatch, nextUseInMs } = watch([48_000], { list: listOf(12) });
  holdWatch.look('1');
  holdWatch.close();
  holdWatch.look('2');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(nextUseInMs).not.toHaveBeenCalled();
});
