// What the turns of a run say: middle and spread of each proxy's cost, and the ratio of the two against the aim. Pure.

import { type Spread, spreadOf } from '../shared/spread.js';
import { type Run, type Turn, type Way, WAYS } from './measure.js';

/** One intercepted request is to cost at most this part of the peer's CPU. */
export const AIM = 0.5;

/** What one proxy spent in one way. */
export interface Cost {
  readonly cpuMicrosPerRequest: Spread;
  readonly requestsPerSecond: Spread;
  /** Part of a processor's time that the proxy used. */
  readonly load: Spread;
}

/** The comparison of one way; what is undefined was not run. */
export interface Comparison {
  readonly way: Way;
  readonly ours: Cost;
  readonly peer: Cost | undefined;
  /** Our CPU per request through the peer's, of each round. */
  readonly ratio: Spread | undefined;
  readonly verdict: 'pass' | 'missed' | 'not run';
}

/** Compares the sides in each way, round by round. */
export function compare({ turns }: Pick<Run, 'turns'>): readonly Comparison[] {
  return WAYS.map((way) => {
    const of = (side: Turn['side']) => turns.filter((turn) => turn.way === way && turn.side === side);
    const [ours, peer] = [of('ours'), of('peer')];
    const ratios = ours.flatMap((turn) => {
      const other = peer.find(({ round }) => round === turn.round);
      return other === undefined ? [] : [turn.cpuMicrosPerRequest / other.cpuMicrosPerRequest];
    });
    const ratio = ratios.length === 0 ? undefined : spreadOf(ratios);
    return {
      way,
      ours: costOf(ours),
      peer: peer.length === 0 ? undefined : costOf(peer),
      ratio,
      verdict: judge(ratio),
    };
  });
}

/** Whether every way was compared, and reached the aim. */
export function isReached(comparisons: readonly Comparison[]): boolean {
  return comparisons.every(({ verdict }) => verdict === 'pass');
}

function judge(ratio: Spread | undefined): Comparison['verdict'] {
  if (ratio === undefined) return 'not run';
  return ratio.median <= AIM ? 'pass' : 'missed';
}

function costOf(turns: readonly Turn[]): Cost {
  return {
    cpuMicrosPerRequest: spreadOf(turns.map((turn) => turn.cpuMicrosPerRequest)),
    requestsPerSecond: spreadOf(turns.map((turn) => turn.requestsPerSecond)),
    load: spreadOf(turns.map((turn) => turn.load)),
  };
}
