// Whether a run was interrupted, by Ctrl+C or because the machine is to be left, and is to be gone on with later: then its
// sessions are kept, and the requests it had taken in advance are given back. How a run is stopped is Crawlee's affair.

import type { RequestProvider } from '@crawlee/core';

/** Events by which a platform announces the end of a run that is gone on with elsewhere; Crawlee's names. */
const EVENTS = ['migrating', 'aborting'];

/** Requests at the head of a queue that are looked at: more than Crawlee takes in advance and has under way. */
const MAX_LOCKED = 1_000;

/** What is looked at of a crawler. */
export interface InterruptedCrawler {
  readonly requestQueue?: RequestProvider | undefined;
  readonly config?: { getEventManager(): EventSource } | undefined;
}

interface EventSource {
  on(event: string, listener: () => void): void;
  off(event: string, listener: () => void): void;
}

/** Notices interruptions of the runs of one configuration. */
export class Interruption {
  readonly #queues = new Set<RequestProvider>();
  #stopListening: (() => void) | undefined;
  #hasHappened = false;

  /** Whether the last run was interrupted. */
  get hasHappened(): boolean {
    return this.#hasHappened;
  }

  /** A run is beginning. */
  reset(): void {
    this.#hasHappened = false;
  }

  /**
   * A run is on its way. Called with each of its requests, for only now does Crawlee listen to the signal itself: whoever
   * listens to it keeps Node from exiting.
   */
  watch({ requestQueue, config }: InterruptedCrawler): void {
    if (requestQueue !== undefined) this.#queues.add(requestQueue);
    if (this.#stopListening !== undefined || process.listenerCount('SIGINT') === 0) return;
    const note = (): void => {
      this.#hasHappened = true;
    };
    const events = config?.getEventManager();
    process.once('SIGINT', note);
    for (const name of EVENTS) events?.on(name, note);
    this.#stopListening = () => {
      process.off('SIGINT', note);
      for (const name of EVENTS) events?.off(name, note);
    };
  }

  /** A run has ended, nothing of it is under way any more. Never rejects. */
  async runEnded(): Promise<void> {
    this.#stopListening?.();
    this.#stopListening = undefined;
    const queues = [...this.#queues];
    this.#queues.clear();
    if (this.#hasHappened) await Promise.all(queues.map(giveBack));
  }
}

/**
 * Gives back what a queue has locked. Crawlee locks requests in advance, lets go of them on a platform's events but not on
 * Ctrl+C, and a run that is started again would wait for them until their locks are over.
 * https://github.com/apify/crawlee/blob/v3.18.1/packages/core/src/storages/request_queue_v2.ts (_clearPossibleLocks)
 */
async function giveBack({ client }: RequestProvider): Promise<void> {
  // A store that can't be asked leaves the locks to their end, as without us.
  const head = await client.listHead({ limit: MAX_LOCKED }).catch(() => undefined);
  // Most are not locked, which is an error there.
  await Promise.all((head?.items ?? []).map(({ id }) => client.deleteRequestLock(id).catch(() => undefined)));
}
