// The last thing that requests of each session were refused, for clients that are shown no reason: whoever opens a tunnel
// sees its status at most, a browser not even that. Fed by the events of the gateway, asked by the API; decides nothing.

import type { ErrorCode } from '../sessions/errors.js';
import type { Clock } from '../stores/clock.js';
import type { EventSink, RefusedSession } from './events.js';

/**
 * Sessions whose last refusal is kept, about 300 bytes each; past that the one refused longest ago is forgotten. Clients
 * ask at once, so this is enough for all that are refused within a moment.
 */
const MAX_SESSIONS = 10_000;

/** What a session was refused last. */
export interface LastRefusal {
  readonly code: ErrorCode;
  readonly host: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
}

/** Keeps the last refusal of each session. */
export class LastRefusals {
  readonly #clock: Clock;
  /** At most `MAX_SESSIONS`, refused longest ago first. */
  readonly #refusals = new Map<string, LastRefusal>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes events; those that tell of no refusal cost a look at their type. */
  readonly onEvent: EventSink = (event) => {
    if (event.type === 'use.settled') {
      const { owner, sessionId, target, error, status, retried } = event;
      // Without a status nobody was told, and another attempt is not refused yet.
      if (error === undefined || sessionId === undefined || status === undefined || retried) return;
      this.#note({ owner, sessionId, target }, error);
    } else if (event.type === 'request.rejected') {
      if (event.refused !== undefined) this.#note(event.refused, event.error);
    } else if (event.type === 'session.ended') {
      this.#refusals.delete(keyOf(event.owner, event.sessionId));
    }
  };

  /** What a session of an API key was refused last; undefined where it was refused nothing, or that was forgotten. */
  find(owner: string, sessionId: string): LastRefusal | undefined {
    return this.#refusals.get(keyOf(owner, sessionId));
  }

  #note({ owner, sessionId, target }: RefusedSession, code: ErrorCode): void {
    const key = keyOf(owner, sessionId);
    this.#refusals.delete(key);
    this.#refusals.set(key, { code, host: hostOf(target), atMs: this.#clock.nowMs() });
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > MAX_SESSIONS && oldest !== undefined) this.#refusals.delete(oldest);
  }
}

function keyOf(owner: string, sessionId: string): string {
  return `${owner} ${sessionId}`;
}

/** @param target `host:port`, an IPv6 host without brackets */
function hostOf(target: string): string {
  return target.slice(0, target.lastIndexOf(':'));
}
