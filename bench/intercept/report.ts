// How the results are shown: a table for people, an object for programs.

import { conditions } from '../shared/conditions.js';
import { formatSpread } from '../shared/spread.js';
import { INSTALL_PEER } from './contenders.js';
import type { Run, Way } from './measure.js';
import type { Settings } from './options.js';
import { AIM, type Comparison, type Cost } from './results.js';

/** All there is to show. */
export interface Report {
  readonly settings: Settings;
  readonly run: Run;
  readonly comparisons: readonly Comparison[];
}

/** What each way is called. */
export const TITLES: Record<Way, string> = {
  tunnels: 'a request in an open tunnel',
  reconnects: 'a reconnect to a known host: CONNECT, TLS, one request, close',
};

const WIDTHS = [34, 20, 22, 14] as const;

/** Tables of both ways, and the conditions they were measured in. */
export function formatReport({ settings, run, comparisons }: Report): string {
  return [...comparisons.map((comparison) => formatComparison(comparison, run)), formatConditions(settings, run)].join(
    '\n',
  );
}

/** The same as JSON, one object, with every turn. */
export function formatJson({ settings, run: { names, placement, turns }, comparisons }: Report): string {
  return `${JSON.stringify({ aim: AIM, ...conditions(), names, settings, placement, comparisons, turns }, undefined, 2)}\n`;
}

function formatComparison({ way, ours, peer, ratio, verdict }: Comparison, { names }: Run): string {
  const compared =
    ratio === undefined
      ? `nothing to compare with: mockttp is not installed; run ${INSTALL_PEER}`
      : `CPU, ours to theirs: ${formatSpread(ratio, 2)}; at most ${AIM}: ${verdict.toUpperCase()}`;
  const rows = [
    formatRow([TITLES[way]]),
    formatRow(['', 'CPU us/request', 'requests/s', 'processor used']),
    formatCost(names.ours, ours),
    formatCost(names.peer ?? 'mockttp', peer),
    `  ${compared}`,
  ];
  return `${rows.join('\n')}\n`;
}

function formatCost(name: string, cost: Cost | undefined): string {
  if (cost === undefined) return formatRow([`  ${name}`, 'not run']);
  const { cpuMicrosPerRequest, requestsPerSecond, load } = cost;
  const percent = `${Math.round(100 * load.median)} %`;
  return formatRow([`  ${name}`, formatSpread(cpuMicrosPerRequest, 0), formatSpread(requestsPerSecond, 0), percent]);
}

function formatRow(cells: readonly string[]): string {
  return cells
    .map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0))
    .join('')
    .trimEnd();
}

function formatConditions({ seconds, rounds, lanes, logLevel }: Settings, { placement }: Run): string {
  const { date, node, processor, processors } = conditions();
  const place =
    placement.proxies === undefined
      ? 'the system places the processes'
      : `proxies on processor ${placement.proxies}, target and client on ${placement.others}`;
  return [
    `median (least-greatest) of ${rounds} rounds of ${seconds} s, ${lanes} lanes; log of the gateway: ${logLevel}`,
    `${date}, Node ${node}, ${processors} x ${processor}; ${place}`,
    '',
  ].join('\n');
}
