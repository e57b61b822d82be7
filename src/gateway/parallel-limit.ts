// How many requests an API key has in flight, held ones included. Open tunnels are none.

import { GatewayError } from '../sessions/errors.js';

/** What a client that was refused is told to wait, in milliseconds: one of its requests has to end first. */
const RETRY_AFTER_MS = 1000;

/** Counts the requests in flight. Bounded by the API keys. */
export class ParallelLimit {
  readonly #max: number;
  readonly #inFlight = new Map<string, number>();

  /** @param max 0: no limit */
  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Counts a request.
   *
   * @returns a function that ends it; calling it again changes nothing
   * @throws GatewayError `too_many_conns` where the API key has as many as it may
   * @see https://docs.zyte.com/smart-proxy-manager/troubleshooting/concurrency.html
   */
  enter(owner: string): () => void {
    const before = this.#inFlight.get(owner) ?? 0;
    if (this.#max > 0 && before >= this.#max) {
      throw new GatewayError(
        'too_many_conns',
        `This API key has ${before} parallel connections, as many as allowed (maxConnections); wait for one to end`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    this.#inFlight.set(owner, before + 1);
    let isOpen = true;
    return () => {
      if (isOpen) this.#leave(owner);
      isOpen = false;
    };
  }

  #leave(owner: string): void {
    const left = (this.#inFlight.get(owner) ?? 1) - 1;
    if (left === 0) this.#inFlight.delete(owner);
    else this.#inFlight.set(owner, left);
  }
}
