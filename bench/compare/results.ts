// What the turns of a contest say: middle and spread of each contender, and our ratio to the others, round by round, held
// against the aims. Pure.

import { type Spread, spreadOf } from '../shared/spread.js';
import type { Outcome, Turn } from './contest.js';
import type { ContenderName } from './contenders.js';

/** What is to be shown of the gateway beside another contender. */
export interface Comparison {
  readonly against: ContenderName;
  /** Our requests per second are to be at least so many times theirs; undefined: it is shown, and nothing is asked. */
  readonly atLeast?: number | undefined;
}

/** How a ratio came out. */
export type Verdict = 'pass' | 'missed' | 'not run';

/** One number that something is asked of, as the report shows it. */
export interface Judged {
  readonly says: string;
  /** Why it could not be told, where `value` is undefined. */
  readonly value: string | undefined;
  readonly why?: string | undefined;
  /** `at least 1.8`; undefined: nothing is asked. */
  readonly aim: string | undefined;
  readonly verdict: Verdict;
}

/** Our ratio to another contender; above 1 we do more. */
export interface Ratio extends Comparison {
  /** Requests per second. */
  readonly rate: Spread | undefined;
  /** Requests per second of the proxy's processor: their processor time per request through ours. */
  readonly cpu: Spread | undefined;
  readonly verdict: Verdict;
}

/** What one contender did. */
export interface Cost {
  readonly perSecond: Spread;
  readonly cpuMicros: Spread | undefined;
  readonly proxyLoad: number | undefined;
  readonly loadLoad: number;
}

/** Middle and spread of one contender's turns; undefined where it was not run. */
export function costOf({ turns }: Outcome, name: ContenderName): Cost | undefined {
  const own = turns.filter((turn) => turn.contender === name);
  if (own.length === 0) return undefined;
  const loads = present(own.map(({ proxyLoad }) => proxyLoad));
  const micros = present(own.map(({ cpuMicros }) => cpuMicros));
  return {
    perSecond: spreadOf(own.map(({ perSecond }) => perSecond)),
    cpuMicros: micros.length === 0 ? undefined : spreadOf(micros),
    proxyLoad: loads.length === 0 ? undefined : spreadOf(loads).median,
    loadLoad: spreadOf(own.map(({ loadLoad }) => loadLoad)).median,
  };
}

/** Compares the gateway with another contender. @param by what the aim is held against */
export function compare({ turns }: Outcome, comparison: Comparison, by: 'rate' | 'cpu'): Ratio {
  const pairs = turns
    .filter(({ contender }) => contender === 'gateway')
    .flatMap((ours) => {
      const other = turns.find((turn) => turn.contender === comparison.against && turn.round === ours.round);
      return other === undefined ? [] : [[ours, other] as const];
    });
  const rate = spreadOrNone(pairs.map(([ours, other]) => ours.perSecond / other.perSecond));
  const cpu = spreadOrNone(present(pairs.map(([ours, other]) => cpuRatio(ours, other))));
  return { ...comparison, rate, cpu, verdict: judge(by === 'rate' ? rate : cpu, comparison.atLeast) };
}

/** Whether a middle reaches what is asked. */
export function judge(value: Spread | undefined, atLeast: number | undefined): Verdict {
  if (value === undefined) return 'not run';
  return atLeast === undefined || value.median >= atLeast ? 'pass' : 'missed';
}

function cpuRatio({ cpuMicros: ours }: Turn, { cpuMicros: theirs }: Turn): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : theirs / ours;
}

function spreadOrNone(values: readonly number[]): Spread | undefined {
  return values.length === 0 ? undefined : spreadOf(values);
}

function present(values: readonly (number | undefined)[]): readonly number[] {
  return values.filter((value) => value !== undefined);
}
