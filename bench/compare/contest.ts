// A contest: contenders that do the same work in turns, and what each turn cost. What the numbers mean is settled in
// `results.ts`.

import { cpuMicrosOf } from '../shared/processor-time.js';
import type { Bench } from './bench.js';
import type { Contender, Missing } from './contender.js';
import { contender, type ContenderName } from './contenders.js';

/** What was done in some time. */
export interface Done {
  /** Requests, megabytes, set-ups: whatever the contest counts. */
  readonly count: number;
  readonly tookMs: number;
}

/** A contender that is ready for one kind of work. */
export interface Driven {
  /** Opens what is to be open before it is driven; it doesn't count. */
  begin(): Promise<void>;
  /** Drives it for a while. */
  drive(seconds: number): Promise<Done>;
  /** Closes what `begin` has opened. */
  end(): Promise<void>;
  /** Ends it, after all turns. @throws where it has failed */
  close(): Promise<void>;
  /** Processor time of the load and the target so far, in microseconds. */
  loadMicros(): number;
}

/** What is compared. */
export interface Contest {
  readonly name: string;
  readonly title: string;
  /** What is counted, such as `request`. */
  readonly unit: string;
  readonly contenders: readonly ContenderName[];
  /** The kind of work: a contender that is warm for one contest is so for all of that kind. */
  readonly kind: string;
  ready(contender: Contender): Promise<Driven>;
}

/** What a contender did in one round. */
export interface Turn {
  readonly contender: ContenderName;
  readonly round: number;
  readonly count: number;
  readonly perSecond: number;
  /** Undefined without a proxy. */
  readonly cpuMicros: number | undefined;
  /** Part of its processor's time that the proxy used. */
  readonly proxyLoad: number | undefined;
  /** Part of their processors' time that load and target used. */
  readonly loadLoad: number;
}

/** What came of a contest. */
export interface Outcome {
  readonly labels: Readonly<Partial<Record<ContenderName, string>>>;
  /** Why contenders were not run. */
  readonly missing: Readonly<Partial<Record<ContenderName, string>>>;
  readonly turns: readonly Turn[];
}

interface Entry {
  /** Whether it runs no faster after a while. */
  readonly isCompiled: boolean;
  readonly name: ContenderName;
  readonly pid: number | undefined;
  readonly driven: Driven;
}

/**
 * How long a contender is driven before it is another one's turn, in seconds: what disturbs one disturbs the next. Short
 * enough for all to have had one before node:http closes the idle connections of the first, which is after 5.
 */
const SLICE_SECONDS = 0.5;

const WARM_SLICE_SECONDS = 2;

/** Warms the contenders up, and lets them take turns. */
export async function hold(bench: Bench, contest: Contest): Promise<Outcome> {
  const found = await Promise.all(
    contest.contenders.map(async (name) => [name, await contender(bench, name)] as const),
  );
  const labels = Object.fromEntries(found.map(([name, { label }]) => [name, label]));
  const missing = Object.fromEntries(found.flatMap(([name, one]) => ('missing' in one ? [[name, one.missing]] : [])));
  const entries = await Promise.all(
    found.flatMap(([name, one]) => ('missing' in one ? [] : [enter(contest, name, one)])),
  );
  const turns: Turn[] = [];
  await warmUp(bench, contest, entries);
  for (let round = 1; round <= bench.settings.rounds; round += 1) {
    bench.tell(`${contest.name}: round ${round} of ${bench.settings.rounds}\n`);
    turns.push(...(await playRound(bench, entries, round)));
  }
  await Promise.all(entries.map(({ driven }) => driven.close()));
  return { labels, missing, turns };
}

async function enter(contest: Contest, name: ContenderName, one: Exclude<Contender, Missing>): Promise<Entry> {
  return { name, pid: one.pid, isCompiled: one.child === undefined, driven: await contest.ready(one) };
}

/** A busy machine gives a proxy less than a processor; it is driven so many times as long at most. */
const MAX_WARM_FACTOR = 4;

/** Code is compiled by calls, of each kind of work its own, and these take the proxy's time, not that of the wall. */
async function warmUp(bench: Bench, { name, kind }: Contest, entries: readonly Entry[]): Promise<void> {
  const { warmSeconds } = bench.settings;
  for (const entry of entries) {
    await bench.once(`${kind} of ${entry.name} is warm`, async () => {
      bench.tell(`${name}: warming up ${entry.name}\n`);
      const [enoughMicros, untilMs] = [warmSeconds * 1e6, performance.now() + MAX_WARM_FACTOR * warmSeconds * 1000];
      for (let spent = 0; spent < enoughMicros && performance.now() < untilMs;) {
        const { tookMs, proxyMicros } = await playSlice(entry, WARM_SLICE_SECONDS);
        // What the system brings is compiled already.
        spent += entry.isCompiled ? tookMs * 1000 : proxyMicros;
      }
    });
  }
}

async function playRound(bench: Bench, entries: readonly Entry[], round: number): Promise<readonly Turn[]> {
  const slices = entries.map((): Slice[] => []);
  for (let done = 0; done < bench.settings.seconds; done += SLICE_SECONDS) {
    for (const [index, entry] of entries.entries()) slices[index]?.push(await playSlice(entry, SLICE_SECONDS));
  }
  const cpus = bench.placement.others?.split(',').length ?? 1;
  return entries.map((entry, index) => turnOf(entry, { round, slices: slices[index] ?? [], loadCpus: cpus }));
}

interface Slice extends Done {
  readonly proxyMicros: number;
  readonly loadMicros: number;
}

async function playSlice({ pid, driven }: Entry, seconds: number): Promise<Slice> {
  const proxyMicros = (): number => (pid === undefined ? 0 : cpuMicrosOf(pid));
  await driven.begin();
  const before = { proxy: proxyMicros(), load: driven.loadMicros() };
  const done = await driven.drive(seconds);
  const slice = { proxyMicros: proxyMicros() - before.proxy, loadMicros: driven.loadMicros() - before.load };
  await driven.end();
  return { ...done, ...slice };
}

interface TurnParts {
  readonly round: number;
  readonly slices: readonly Slice[];
  readonly loadCpus: number;
}

function turnOf({ name, pid }: Entry, { round, slices, loadCpus }: TurnParts): Turn {
  const sum = (part: keyof Slice): number => slices.reduce((total, slice) => total + slice[part], 0);
  const [count, tookMs, proxyMicros] = [sum('count'), sum('tookMs'), sum('proxyMicros')];
  if (count === 0) throw new Error(`${name} did nothing in ${Math.round(tookMs)} ms: give it more --seconds`);
  return {
    contender: name,
    round,
    count,
    perSecond: (count / tookMs) * 1000,
    cpuMicros: pid === undefined ? undefined : proxyMicros / count,
    proxyLoad: pid === undefined ? undefined : proxyMicros / 1000 / tookMs,
    loadLoad: sum('loadMicros') / 1000 / tookMs / loadCpus,
  };
}
