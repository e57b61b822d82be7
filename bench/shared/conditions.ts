// What a run was made on, which belongs beside every number of it.

import { cpus, loadavg } from 'node:os';

/** Date, Node and machine of this run. */
export interface Conditions {
  /** `2026-11-22`. */
  readonly date: string;
  readonly node: string;
  readonly processor: string;
  readonly processors: number;
  /** Processes that wanted a processor in the last minute, on average: more than there are processors is a busy machine. */
  readonly loadAverage: number;
}

/** Tells them as they are now. */
export function conditions(): Conditions {
  const all = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    processor: all[0]?.model.trim() ?? 'unknown processor',
    processors: all.length,
    loadAverage: loadavg()[0] ?? 0,
  };
}
