// Tells, once, that the gateway holds requests for longer than a crawler with the option `proxyConfiguration` alone can
// wait. Looks on at the gateway, at most once a second and never in a request's way; the preset needs none of it.

import type { Log } from '@crawlee/core';

import type { UpstreamList } from '../protocol/rest.js';
import type { GatewaySessions } from './gateway-sessions.js';

/** A hold worth a warning, in milliseconds. */
const LONG_HOLD_MS = 20_000;

/**
 * Uses by which the warning comes early where several wait for one outgoing IP. Ours: Crawlee sends more and more at a
 * time while there is work, so their hold grows, and once it is long it is too late to read of it.
 */
const USES_AHEAD = 2;

/** Requests are looked at this long after they were sent, so that the gateway has them; in milliseconds. */
const LOOK_AFTER_MS = 1_000;

/** Crawlee's own `navigationTimeoutSecs`, where the crawler has no other. */
const CRAWLEE_TIMEOUT_SECS = 30;

/** Warns once per configuration. */
export class HoldWatch {
  readonly #gateway: Pick<GatewaySessions, 'nextUseInMs' | 'upstreams'>;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #upstreams: UpstreamList | undefined;
  #isOver = false;

  constructor(gateway: Pick<GatewaySessions, 'nextUseInMs' | 'upstreams'>, log: Log) {
    this.#gateway = gateway;
    this.#log = log;
  }

  /** A request is about to go out in this session. */
  look(proxySessionId: string): void {
    if (this.#isOver || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#lookNow(proxySessionId), LOOK_AFTER_MS);
    this.#timer.unref();
  }

  /** Stops looking. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  async #lookNow(proxySessionId: string): Promise<void> {
    const nextUseInMs = await this.#gateway.nextUseInMs(proxySessionId);
    this.#upstreams ??= await this.#gateway.upstreams();
    this.#timer = undefined;
    if (this.#isOver || nextUseInMs === undefined) return;
    if (!isLongHold(nextUseInMs, this.#upstreams?.delays.defaultMs ?? 0)) return;
    this.#isOver = true;
    this.#log.warning(
      `${inSeconds(nextUseInMs)} until the next use: ${tellUpstreams(this.#upstreams)}` +
        `Crawlee gives up after ${CRAWLEE_TIMEOUT_SECS} s; use httpCrawlerOptions(), more upstreams or a shorter delay`,
    );
  }
}

/** Whether the last request of a session is held for long, or the next ones will be. */
function isLongHold(nextUseInMs: number, delayMs: number): boolean {
  // The next use comes one delay after the last request, which was sent when we began to wait.
  const holdMs = nextUseInMs - delayMs + LOOK_AFTER_MS;
  const isQueue = holdMs > 1.5 * delayMs;
  return holdMs > LONG_HOLD_MS || (isQueue && holdMs + USES_AHEAD * delayMs > LONG_HOLD_MS);
}

function tellUpstreams(list: UpstreamList | undefined): string {
  if (list === undefined) return '';
  const count = new Set(list.upstreams.map(({ outgoingIp }) => outgoingIp)).size;
  return `delay ${inSeconds(list.delays.defaultMs)}, ${count} outgoing IP${count === 1 ? '' : 's'}, `;
}

function inSeconds(milliseconds: number): string {
  return `${milliseconds < 10_000 ? Math.round(milliseconds / 100) / 10 : Math.round(milliseconds / 1000)} s`;
}
