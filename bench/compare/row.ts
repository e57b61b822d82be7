// What a row of the comparison is, and what it has to show: a table, and judged numbers under it.

import type { Bench } from './bench.js';
import type { Judged } from './results.js';

/** One row. */
export interface Row {
  readonly name: string;
  readonly title: string;
  run(bench: Bench): Promise<Section>;
}

/** The results of one row. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  readonly table: readonly (readonly string[])[];
  readonly judged: readonly Judged[];
  /** The numbers behind it, for programs. */
  readonly data: unknown;
}
