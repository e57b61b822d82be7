// Which session a task gets: the one that may go next. Tasks are held back while none may, so that waiting takes no place
// among those that run. Where sessions are kept is Crawlee's pool, which is handed in.

import type { Session } from '@crawlee/core';

import type { Core } from './core.js';
import type { SlotPlanner } from './slot-planner.js';
import { currentRequest, giveToTask, pinnedSessionId, sessionOfTask } from './task-context.js';

/** How long a session that was just made has until its first request asks for its proxy. */
const STARTING_MS = 15_000;

/** A task that was let go asks for its session within this time, or never. */
const PROMISED_MS = 5_000;

/** A wait worth a word, and how often it is said; in milliseconds. */
const LONG_WAIT_MS = 5_000;
const SAY_EVERY_MS = 60_000;

/** What may be done with a pool. */
export interface PoolAccess {
  /** Its sessions that may be used. */
  readonly usable: () => readonly Session[];
  /** The usable session of that id. */
  readonly find: (sessionId: string) => Promise<Session | undefined>;
  /** Makes a session. */
  readonly grow: () => Promise<Session>;
}

/** What a choice depends on. */
export interface ReadyFirstOptions {
  readonly pool: PoolAccess;
  readonly core: Core;
  readonly slots: SlotPlanner;
  /** Sessions past which another one would only wait behind those that are there. */
  readonly limit: number;
}

/** Chooses the sessions of one pool. */
export class ReadyFirst {
  readonly #options: ReadyFirstOptions;
  /** Sessions that were handed out before their first use: until when that is waited for. At most the pool's. */
  readonly #startingUntilMs = new Map<string, number>();
  /** Tasks that were let go and have not asked for a session: until when they are reckoned with. */
  #promisedUntilMs: number[] = [];
  #saidAtMs = -Infinity;

  constructor(options: ReadyFirstOptions) {
    this.#options = options;
  }

  /** Gives the session of a task; waits where none may go. */
  async pick(): Promise<Session> {
    this.#promisedUntilMs.shift();
    // A browser that is launched for a task asks once more; it belongs to the session of its task.
    const given = sessionOfTask();
    if (given?.isUsable() === true) return given;
    const session = (await this.#pickPinned()) ?? (await this.#pickNext());
    giveToTask(session);
    return session;
  }

  /** Makes the gate of a crawler's tasks. @param wake has the gate asked again */
  createGate(wake: () => void): () => boolean {
    this.#options.slots.onStart(wake);
    return () => {
      if (this.#canServe()) {
        this.#promisedUntilMs.push(performance.now() + PROMISED_MS);
        return true;
      }
      this.#planAhead();
      this.#sayWhy();
      return false;
    };
  }

  async #pickPinned(): Promise<Session | undefined> {
    const id = pinnedSessionId();
    return id === undefined ? undefined : this.#options.pool.find(id);
  }

  async #pickNext(): Promise<Session> {
    const { slots } = this.#options;
    for (;;) {
      const ready = this.#ready()[0];
      if (ready !== undefined) {
        slots.grant(ready.id);
        return ready;
      }
      const idle = this.#idle()[0] ?? (this.#room() > 0 ? await this.#options.pool.grow() : undefined);
      if (idle !== undefined) {
        this.#startingUntilMs.set(idle.id, performance.now() + STARTING_MS);
        return idle;
      }
      this.#planAhead();
      // oxlint-disable-next-line no-await-in-loop -- another task may take what starts first
      await slots.nextStart();
    }
  }

  #canServe(): boolean {
    const nowMs = performance.now();
    this.#promisedUntilMs = this.#promisedUntilMs.filter((untilMs) => untilMs > nowMs);
    return this.#ready().length + this.#idle().length + this.#room() > this.#promisedUntilMs.length;
  }

  #planAhead(): void {
    const { core, pool, slots } = this.#options;
    const host = hostOf(currentRequest()?.url) ?? core.lastHost.name;
    if (host === undefined) return;
    for (const { id } of pool.usable()) {
      const bound = core.bindings.find(id);
      if (bound !== undefined) slots.plan(id, bound.id, host);
    }
  }

  #ready(): readonly Session[] {
    return this.#options.pool.usable().filter(({ id }) => this.#options.slots.isReady(id));
  }

  /** Sessions that were never used, and are not about to be. */
  #idle(): readonly Session[] {
    const { core, pool } = this.#options;
    const nowMs = performance.now();
    return pool
      .usable()
      .filter(({ id }) => core.bindings.find(id) === undefined && !((this.#startingUntilMs.get(id) ?? 0) > nowMs));
  }

  #room(): number {
    const { limit, pool } = this.#options;
    return Math.max(0, limit - pool.usable().length);
  }

  #sayWhy(): void {
    const { core, pool, slots } = this.#options;
    const sessions = pool.usable();
    const nowMs = performance.now();
    const starts = sessions.flatMap(({ id }) => slots.startsAtMs(id) ?? []);
    const waitMs = starts.length === 0 ? 0 : Math.min(...starts) - nowMs;
    if (waitMs < LONG_WAIT_MS || nowMs - this.#saidAtMs < SAY_EVERY_MS) return;
    this.#saidAtMs = nowMs;
    const isWayless = sessions.every(({ id }) => slots.refusedFor(id) === 'noslaves');
    core.log.info(
      isWayless
        ? `Waiting: the gateway has no usable upstream for any of ${sessions.length} sessions; see \`session-proxy check\``
        : `Waiting ${Math.round(waitMs / 1000)} s for the next use: ${sessions.length} sessions have all been used, and ` +
            'the gateway keeps a distance between uses of their outgoing IPs; more upstreams or a shorter delay would be faster',
    );
  }
}

/** The host of a URL; undefined where there is none. */
export function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined;
}
