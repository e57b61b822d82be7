// What a request is told in the end whose attempts all failed. Whether another one is made is not decided here.

import { GatewayError } from '../sessions/errors.js';

/** How an attempt came to its error. */
export interface Failing {
  /** Whether it was refused its start, so that nothing was tried. */
  readonly wasRefused: boolean;
  /** The calculated delay where the client is to be told it, in milliseconds. */
  readonly nextRequestInMs: number | undefined;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

/** The failures of one request. */
export class Failures {
  #last: GatewayError | undefined;
  #coolsAtMs = Infinity;

  /** Notes a failure; the last one of all is noted, too. */
  note(error: GatewayError, { wasRefused, nowMs }: Failing): void {
    if (error.code === 'banned') this.#coolsAtMs = Math.min(this.#coolsAtMs, nowMs + (error.retryAfterMs ?? Infinity));
    if (!wasRefused) this.#last = error;
  }

  /**
   * The error to tell: that of the last attempt that was really made. After bans it says when the first outgoing IP may
   * be used again.
   */
  told(error: GatewayError, { wasRefused, nextRequestInMs, nowMs }: Failing): GatewayError {
    if (error.code === 'client_conn_closed') return error;
    const told = wasRefused ? (this.#last ?? error) : error;
    const coolsInMs = Math.max(0, this.#coolsAtMs - nowMs);
    return new GatewayError(told.code, told.message, {
      cause: told.cause,
      retryAfterMs: told.code === 'banned' && coolsInMs !== Infinity ? coolsInMs : told.retryAfterMs,
      nextRequestInMs: told.nextRequestInMs ?? nextRequestInMs,
    });
  }
}
