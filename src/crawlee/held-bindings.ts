// Keeps the gateway session of a request that has its session and is not sent yet: if the Crawlee session is retired in
// between, the request still goes out in it.

import type { SessionBindings } from './session-bindings.js';
import { currentTask, whenTaskEnds } from './task-context.js';

/**
 * A request of which it is not known when its task ends is not sent after this time, or keeps its session by itself. Such
 * are only those that a run begins with.
 */
const HOLD_MS = 60_000;

/** One request between the choice of its session and its sending. */
interface Hold {
  readonly crawleeId: string;
  /** The task it is of; undefined where it is not known. */
  readonly task: object | undefined;
  readonly timer: NodeJS.Timeout;
}

/** The holds of one configuration, by Crawlee session. Bounded by the requests in flight. */
export class HeldBindings {
  readonly #bindings: SessionBindings;
  readonly #held = new Map<string, readonly Hold[]>();

  constructor(bindings: SessionBindings) {
    this.#bindings = bindings;
  }

  /** Keeps the gateway session for one request, until it is sent or its task is over. */
  hold(crawleeId: string): void {
    this.#bindings.enter(crawleeId);
    const timer = setTimeout(() => this.#drop(hold), HOLD_MS);
    timer.unref();
    const hold: Hold = { crawleeId, task: currentTask(), timer };
    this.#held.set(crawleeId, [...(this.#held.get(crawleeId) ?? []), hold]);
    // A page that could not be opened, or whose hooks failed, is never sent.
    whenTaskEnds(() => this.#drop(hold));
  }

  /** The request of the running task is being sent, or never will be: whoever sends it keeps the session from now on. */
  release(crawleeId: string): void {
    const task = currentTask();
    const hold = this.#held.get(crawleeId)?.find((one) => one.task === task);
    if (hold !== undefined) this.#drop(hold);
  }

  #drop(hold: Hold): void {
    const { crawleeId, timer } = hold;
    const held = this.#held.get(crawleeId) ?? [];
    if (!held.includes(hold)) return;
    clearTimeout(timer);
    if (held.length === 1) this.#held.delete(crawleeId);
    else {
      this.#held.set(
        crawleeId,
        held.filter((other) => other !== hold),
      );
    }
    this.#bindings.leave(crawleeId);
  }
}
