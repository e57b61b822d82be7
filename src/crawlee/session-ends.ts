// How gateway sessions are ended: each after what is to be said of it, few at a time when all are, and never with an error
// for whoever ends them. Which Crawlee session they belonged to is remembered for a while, and nothing else of it.

import type { ProxySessionInfo } from './gateway-sessions.js';

/** Ended Crawlee sessions that are remembered, for requests that were on their way when theirs ended. */
const MAX_ENDED = 1_000;

/** Deletions sent at a time where all sessions are ended. */
const DELETE_CONCURRENCY = 20;

/** A gateway session as far as its end goes. */
export interface EndedBinding {
  /** The gateway session that an earlier run left. */
  readonly kept: ProxySessionInfo | undefined;
  /** Set as soon as it is asked for. */
  readonly creation: Promise<ProxySessionInfo> | undefined;
  /** What is told the gateway before the session is ended there; never rejects. */
  readonly farewell: ((id: string) => Promise<void>) | undefined;
}

/** How sessions are ended at the gateway. */
export interface SessionEndsOptions {
  /** Rejections are told to `onDeleteFailed` and nobody else. */
  readonly delete: (id: string) => Promise<void>;
  readonly onDeleteFailed: (id: string, error: unknown) => void;
}

/** The ends of the sessions of one configuration. */
export class SessionEnds {
  readonly #options: SessionEndsOptions;
  /** At most `MAX_ENDED`, oldest first. */
  readonly #ended = new Set<string>();
  readonly #deletions = new Set<Promise<void>>();

  constructor(options: SessionEndsOptions) {
    this.#options = options;
  }

  /** Remembers that a Crawlee session has ended. */
  remember(crawleeId: string): void {
    this.#ended.add(crawleeId);
    const [oldest] = this.#ended;
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }

  /** Whether a Crawlee session has ended, as far as that is remembered. */
  has(crawleeId: string): boolean {
    return this.#ended.has(crawleeId);
  }

  /** Ends a gateway session; `settled` waits for it. */
  begin(binding: EndedBinding): void {
    const deletion = this.delete(binding);
    this.#deletions.add(deletion);
    void deletion.finally(() => this.#deletions.delete(deletion));
  }

  /** Ends a gateway session. Never rejects. */
  async delete({ creation, kept, farewell }: EndedBinding): Promise<void> {
    // One that could not be made left nothing to end, and whoever asked for it was told.
    const info = (await creation?.catch(() => undefined)) ?? kept;
    if (info === undefined) return;
    await farewell?.(info.id);
    await this.#options.delete(info.id).catch((error: unknown) => this.#options.onDeleteFailed(info.id, error));
  }

  /** Does something about many sessions, few at a time. */
  async forAll<T>(bindings: readonly T[], settle: (binding: T) => Promise<void>): Promise<void> {
    const left = [...bindings];
    const workers = Array.from({ length: DELETE_CONCURRENCY }, async () => {
      for (let binding = left.pop(); binding !== undefined; binding = left.pop()) {
        // One after another in each worker is what limits them.
        // oxlint-disable-next-line no-await-in-loop
        await settle(binding);
      }
    });
    await Promise.all(workers);
  }

  /** Waits for the ends that are under way. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#deletions);
  }
}
