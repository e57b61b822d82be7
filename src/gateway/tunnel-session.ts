// The session of a tunnel whose CONNECT asked for a new one: its first request makes it, those after it use it.

import type { SessionRef } from '../sessions/session.js';

/** Serves a request in the session that is given, or in a new one. @returns the ID of the session that served it */
export type ServeInSession = (session: SessionRef | undefined) => Promise<string | undefined>;

/** The session that belongs to one tunnel. */
export class TunnelSession {
  #id: string | undefined;
  #making: Promise<string | undefined> | undefined;

  /** Serves a request of the tunnel. One that comes while the session is being made waits for it. */
  async serve(serve: ServeInSession): Promise<void> {
    while (this.#id === undefined && this.#making !== undefined) await this.#making;
    if (this.#id !== undefined) {
      await serve({ kind: 'id', id: this.#id });
      return;
    }
    this.#making = serve(undefined);
    this.#id = await this.#making;
    this.#making = undefined;
  }
}
