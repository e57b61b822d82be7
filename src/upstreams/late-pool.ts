// The connections of an upstream, made when its first request goes out. Of thousands of exits most only carry tunnels,
// or are gone through once.

import type { Dial } from './dialing-agent.js';
import { createRequestPool } from './send-request.js';
import type { RequestPool } from './send-request.js';

/** A pool that is made on its first use. */
export class LatePool {
  readonly #dial: Dial;
  #pool: RequestPool | undefined;

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  get(): RequestPool {
    return (this.#pool ??= createRequestPool(this.#dial));
  }

  /** Closes its connections, if there are any; it can be used again. */
  close(): void {
    this.#pool?.close();
    this.#pool = undefined;
  }
}
