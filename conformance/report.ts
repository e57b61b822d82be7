// How the results are shown: a table for people, an object for programs, and the score of both classes.

import { type Check, classOf, type EvidenceClass } from './check.js';
import type { Result } from './runner.js';

/** The outcomes of one class of evidence. */
export interface Score {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const CLASSES = ['documented', 'inferred'] as const;

/** Counts the outcomes of a class. */
export function scoreOf(results: readonly Result[], evidence: EvidenceClass): Score {
  const count = (outcome: Result['outcome']): number =>
    results.filter((result) => result.class === evidence && result.outcome === outcome).length;
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
}

/** A table of all results with a score for each class. */
export function formatReport(results: readonly Result[]): string {
  const width = Math.max(...results.map(({ check }) => check.id.length));
  const sections = CLASSES.map((name) => {
    const rows = results.filter((result) => result.class === name).map((result) => formatResult(result, width));
    return [name, ...rows].join('\n');
  });
  const scores = CLASSES.map((name) => formatScore(name, scoreOf(results, name)));
  return `${sections.join('\n\n')}\n\n${scores.join('\n')}\n`;
}

/** The results as JSON, one object. */
export function formatJson(results: readonly Result[]): string {
  const rows = results.map(({ check, outcome, reason, tookMs, class: evidenceClass }) => {
    const { id, holds, source, evidence, given, when, expected } = check;
    return { id, class: evidenceClass, evidence, outcome, reason, tookMs, holds, source, given, when, expected };
  });
  const [documented, inferred] = CLASSES.map((name) => scoreOf(results, name));
  return `${JSON.stringify({ documented, inferred, checks: rows }, undefined, 2)}\n`;
}

/** The checks themselves, without results. */
export function formatList(checks: readonly Check[]): string {
  const lines = checks.map(({ id, holds, source, evidence, given, when, expected }) =>
    [
      `${id} (${classOf(evidence)}, ${evidence}: ${source})`,
      holds,
      `given ${given}, when ${when}, then ${expected}`,
    ].join('\n    '),
  );
  return `${lines.join('\n')}\n`;
}

function formatResult({ check, outcome, reason, tookMs }: Result, width: number): string {
  const word = { pass: 'pass', fail: 'FAIL', skip: 'skip' }[outcome];
  const line = `  ${word}  ${check.id.padEnd(width)}  ${check.holds}`;
  if (outcome === 'pass') return `${line} [${tookMs} ms]`;
  if (outcome === 'skip') return `${line}\n        not run: ${printable(reason)}`;
  const { given, when, expected, evidence, source } = check;
  return [
    line,
    `given ${given}, when ${when}, then ${expected}`,
    `but ${printable(reason)}`,
    `source: ${evidence}, ${source}`,
  ].join('\n        ');
}

function formatScore(name: EvidenceClass, { passed, failed, skipped }: Score): string {
  const run = passed + failed;
  const percent = run === 0 ? 'none run' : `${Math.floor((100 * passed) / run)} %`;
  return `${name}: ${passed} of ${run} hold (${percent}), ${skipped} not run`;
}

/** Leaves out what a terminal would take as a command: reasons quote what a server sent. */
function printable(text = ''): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
