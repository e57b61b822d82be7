// Session pools that keep their state in one place at the same time: each overwrites what the other keeps, and one that
// starts later takes over the sessions of the other. What a pool is, and where it keeps its state, is not known here.

import type { Log } from '@crawlee/core';

/** A place that states are kept in, and the name of one in it. */
export interface StatePlace {
  readonly store: object;
  readonly key: string;
}

/** Per store and key, the pool that was opened there last. Bounded by the stores and keys there are. */
const LAST = new WeakMap<object, Map<string, WeakRef<object>>>();

/** Pools that keep nothing any more. */
const ENDED = new WeakSet<object>();

/** Logs that were told already: one word is enough for a configuration. */
const TOLD = new WeakSet<object>();

/** Notes where a pool keeps its state, and warns once if another one that runs keeps its own there. */
export function claimState(pool: object, { store, key }: StatePlace, log: Pick<Log, 'warning'>): void {
  const known = LAST.get(store) ?? new Map<string, WeakRef<object>>();
  LAST.set(store, known);
  const other = known.get(key)?.deref();
  known.set(key, new WeakRef(pool));
  if (other === undefined || other === pool || ENDED.has(other) || TOLD.has(log)) return;
  TOLD.add(log);
  log.warning(
    `Two crawlers that run at the same time keep their sessions under one key, ${key}: each overwrites those of the ` +
      'other, and a run that is started again goes on with the sessions of one of them. Give each crawler a key of its ' +
      "own: sessionPoolOptions: { persistStateKey: 'SESSIONS_OF_THE_SHOP' }.",
  );
}

/** A pool was torn down: what it kept may be gone on with. */
export function releaseState(pool: object): void {
  ENDED.add(pool);
}

/** Whether a pool was torn down. */
export function hasEnded(pool: object): boolean {
  return ENDED.has(pool);
}
