// Memory of sessions in the memory store, and the longest pause that creating, using and expiring them makes.

import type { Bench } from '../bench.js';
import { entryOf } from '../gateway-contender.js';
import type { Judged } from '../results.js';
import type { Row } from '../row.js';

const MIB = 1024 * 1024;
const COUNTS = [10_000, 100_000, 1_000_000] as const;

/** What is asked with the most sessions. */
const [AT_MOST_MIB, AT_MOST_PAUSE_MS] = [400, 50];

/** What the child tells of a number of sessions. */
interface Kept {
  readonly heapBytes: number;
  readonly residentBytes: number;
  /** By what was done, in milliseconds. */
  readonly pausesMs: { readonly create: number; readonly touch: number; readonly expire: number };
  /** Microseconds of one operation, on average. */
  readonly operationMicros: { readonly create: number; readonly touch: number; readonly expire: number };
}

/** Those rows. */
export const SESSION_MEMORY: readonly Row[] = COUNTS.map((count) => {
  const [name, title] = [`session-memory-${count / 1000}k`, `memory of ${count} sessions`];
  return {
    name,
    title,
    async run(bench) {
      bench.tell(`${name}\n`);
      const kept = await keep(bench, count);
      const { heapBytes, residentBytes, pausesMs, operationMicros } = kept;
      const phases = ['create', 'touch', 'expire'] as const;
      return {
        name,
        title,
        columns: ['', ...phases],
        table: [
          ['longest pause, ms', ...phases.map((phase) => pausesMs[phase].toFixed(1))],
          ['microseconds each', ...phases.map((phase) => operationMicros[phase].toFixed(1))],
        ],
        judged: [
          { says: 'heap of each', value: `${(heapBytes / count).toFixed(0)} bytes`, aim: undefined, verdict: 'pass' },
          ...judgedOf({ residentMib: residentBytes / MIB, pauseMs: Math.max(...Object.values(pausesMs)) }, count),
        ],
        data: kept,
      };
    },
  };
});

function judgedOf(
  { residentMib, pauseMs }: { readonly residentMib: number; readonly pauseMs: number },
  count: number,
): readonly Judged[] {
  const isAsked = count === COUNTS.at(-1);
  const judged = (says: string, value: number, atMost: number, unit: string): Judged => ({
    says,
    value: `${value.toFixed(0)} ${unit}`,
    aim: isAsked ? `at most ${atMost}` : undefined,
    verdict: !isAsked || value <= atMost ? 'pass' : 'missed',
  });
  return [
    judged('resident memory of all', residentMib, AT_MOST_MIB, 'MiB'),
    judged('longest pause', pauseMs, AT_MOST_PAUSE_MS, 'ms'),
  ];
}

/** In a process of its own, anywhere, for the collector's threads are to have a processor. */
async function keep(bench: Bench, count: number): Promise<Kept> {
  const child = bench.start(new URL('../children/sessions.js', import.meta.url), 'anywhere', {
    flags: ['--expose-gc'],
  });
  const entries = { store: 'stores/memory-store.js', options: 'gateway/options.js', ids: 'stores/session-id.js' };
  const built = Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, entryOf(bench, file)]));
  const kept = await child.ask<Kept>('keep', { count, ...built });
  await child.close();
  return kept;
}
