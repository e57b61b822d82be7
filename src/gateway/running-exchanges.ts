// What runs on each connection of a client, so that an idle one can be closed and no second answer stands inside a
// first.

import type { Duplex } from 'node:stream';

/** Counts the exchanges and tunnels of connections. */
export class RunningExchanges {
  readonly #running = new WeakMap<Duplex, number>();

  /** Counts one that starts. @returns how it ends */
  start(socket: Duplex): () => void {
    this.#count(socket, 1);
    return () => this.#count(socket, -1);
  }

  isRunning(socket: Duplex): boolean {
    return (this.#running.get(socket) ?? 0) > 0;
  }

  #count(socket: Duplex, by: 1 | -1): void {
    this.#running.set(socket, (this.#running.get(socket) ?? 0) + by);
  }
}
