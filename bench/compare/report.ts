// How the results are shown: tables for people, an object for programs.

import { type Conditions, conditions } from '../shared/conditions.js';
import type { Placement } from '../shared/placement.js';
import type { Settings } from './options.js';
import type { Judged } from './results.js';
import type { Section } from './row.js';

/** All there is to show. */
export interface Report {
  readonly settings: Settings;
  readonly placement: Placement;
  readonly sections: readonly Section[];
}

/** Tables of all rows, and the conditions they were measured in. */
export function formatReport({ settings, placement, sections }: Report): string {
  return [...sections.map(formatSection), formatConditions(settings, placement)].join('\n');
}

/** One row's table, and what is asked of it. */
export function formatSection({ title, columns, table, judged }: Section): string {
  const rows = [columns, ...table];
  const widths = columns.map((_, column) => Math.max(...rows.map((cells) => widthOf(cells, column))));
  const lines = rows.map((cells) => `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`);
  return [title, ...(table.length === 0 ? [] : lines), ...judged.map(formatJudged)]
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** The same as JSON, one object, with every turn. */
export function formatJson({ settings, placement, sections }: Report): string {
  const rows = sections.map(({ name, title, judged, data }) => ({ name, title, judged, data }));
  return `${JSON.stringify({ ...conditions(), settings, placement, rows }, undefined, 2)}\n`;
}

/** A row that has but two cells says something instead of numbers, as wide as it likes. */
function widthOf(cells: readonly string[], column: number): number {
  return cells.length === 2 && column === 1 ? 0 : (cells[column]?.length ?? 0);
}

function formatJudged({ says, value, why, aim, verdict }: Judged): string {
  const asked = aim === undefined ? '' : `; ${aim}: ${verdict.toUpperCase()}`;
  if (value === undefined)
    return `  ${says}: not run${why === undefined ? '' : `: ${why}`}${aim === undefined ? '' : `; ${aim}`}`;
  return `  ${says}: ${value}${asked}`;
}

function formatConditions({ rounds, seconds, warmSeconds, by }: Settings, placement: Placement): string {
  const { date, node, processor, processors, loadAverage }: Conditions = conditions();
  const place =
    placement.proxies === undefined
      ? 'the system places the processes'
      : `proxies on processor ${placement.proxies}, target and load on ${placement.others}`;
  return [
    `median (least-greatest) of ${rounds} rounds of ${seconds} s, after ${warmSeconds} s of warming up; aims by ${by}`,
    `${date}, Node ${node}, ${processors} x ${processor}; ${place}`,
    `load average at the end ${loadAverage.toFixed(1)}`,
    '',
  ].join('\n');
}
