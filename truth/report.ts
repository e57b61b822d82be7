// The results, for people and for programs.

import { isTrue } from './measure.js';
import type { Measured } from './measure.js';

const HEADS = [
  'crawl',
  'by',
  'pages',
  'requests',
  'wrong requests',
  'wrong pages',
  'outgoing IPs',
  'seconds',
  '',
] as const;

/** Prints a table, and what is to be known about it. */
export function formatTable(rows: readonly Measured[]): string {
  const cells = [HEADS, ...rows.map((row) => cellsOf(row))];
  const widths = HEADS.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n\n${NOTE}${conclude(rows)}\n`;
}

/** Prints what was measured, with the verdict on each row. */
export function formatJson(rows: readonly Measured[]): string {
  return `${JSON.stringify(
    rows.map((row) => ({ ...row, isTrue: isTrue(row) })),
    undefined,
    2,
  )}\n`;
}

const NOTE = `A request is wrong if the target saw it come from another address than that of the session which the handler was given.
Crawlee alone: a proxy URL for each session id (newUrlFunction), and browserPerProxy for a browser a session.
`;

function cellsOf(row: Measured): readonly string[] {
  const { crawl, way, pages, loadedPages, requests, wrongRequests, wrongPages, outgoingIps, seconds } = row;
  return [
    crawl,
    way === 'plugin' ? 'plugin' : 'Crawlee alone',
    loadedPages === pages ? String(pages) : `${loadedPages} of ${pages}`,
    String(requests),
    String(wrongRequests),
    String(wrongPages),
    String(outgoingIps),
    seconds.toFixed(1),
    isTrue(row) ? 'true' : 'NOT TRUE',
  ];
}

function conclude(rows: readonly Measured[]): string {
  const faults = rows
    .filter((row) => row.way === 'plugin' && !isTrue(row))
    .map(
      ({ crawl, pages, loadedPages, missingRequests, wrongRequests, counted }) =>
        `${crawl}: ${wrongRequests} requests by a wrong address, ${pages - loadedPages} pages not loaded, ` +
        `${missingRequests} requests missing, ${counted ?? 0} mismatches counted by the plugin`,
    );
  return faults.length === 0 ? 'With the plugin: no mismatch.' : `With the plugin:\n${faults.join('\n')}`;
}
