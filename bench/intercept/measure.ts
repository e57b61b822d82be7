// A run: the processes, the rounds in which the proxies take turns, and what each turn cost. What the numbers mean is
// settled in `results.ts`.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { SELF_SIGNED } from '../../test/support/self-signed.js';
import { Child } from '../shared/child.js';
import { type Contender, startContenders } from './contenders.js';
import type { Settings } from './options.js';
import { choosePlacement, type Placement } from '../shared/placement.js';
import { REQUEST_HEADERS } from '../shared/request-headers.js';

/** What the load does. */
export const WAYS = ['tunnels', 'reconnects'] as const;
export type Way = (typeof WAYS)[number];

/** What a proxy spent in one turn. */
export interface Turn {
  readonly way: Way;
  readonly side: 'ours' | 'peer';
  readonly round: number;
  readonly requests: number;
  readonly cpuMicrosPerRequest: number;
  readonly requestsPerSecond: number;
  /** Part of a processor's time that the proxy used. */
  readonly load: number;
}

/** A finished run. */
export interface Run {
  readonly names: { readonly ours: string; readonly peer: string | undefined };
  readonly placement: Placement;
  readonly turns: readonly Turn[];
}

/** How long the load goes on: for `seconds`, and longer until there were `requests`, up to `maxSeconds`. */
interface Stint {
  readonly seconds: number;
  readonly requests: number;
  readonly maxSeconds: number;
}

/** What each proxy does before it counts, so that its code is compiled, which takes calls, not time. */
const WARM_UP: Record<Way, Stint> = {
  tunnels: { seconds: 2, requests: 4000, maxSeconds: 12 },
  reconnects: { seconds: 2, requests: 1500, maxSeconds: 12 },
};

/** How long a proxy is driven before it is another one's turn. */
const SLICE_SECONDS = 0.25;

const TARGET_HOST = '127.0.0.1';
const ANSWER_BYTES = 1024;
/** What clients ask for by TLS; real ones always name a host. Nothing looks it up. */
const SERVERNAME = 'target.example';

/** Starts everything, drives the proxies in turns, and ends what it started. */
export async function measure(settings: Settings, tell: (progress: string) => void): Promise<Run> {
  const placement = choosePlacement();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'bench-intercept-'));
  const started: Child[] = [];
  try {
    const { gateway, logLevel, profileDir } = settings;
    const place = { cpus: placement.proxies, gateway, logLevel, profileDir, dataDir };
    const { ours, peer } = await startContenders(place, started);
    const load = await startLoad(placement, settings.lanes, started);
    const sides = [{ side: 'ours', contender: ours } as const];
    const all = peer === undefined ? sides : [...sides, { side: 'peer', contender: peer } as const];
    const turns = await takeTurns({ settings, sides: all, load, tell });
    return { names: { ours: ours.name, peer: peer?.name }, placement, turns };
  } finally {
    await Promise.all(started.map((child) => child.close()));
    await rm(dataDir, { recursive: true });
  }
}

/** Drives a proxy for a time. */
type Drive = (stint: Stint) => Promise<Spent>;

/** What a proxy did in some time, and what it took. */
interface Spent {
  readonly requests: number;
  readonly cpuMicros: number;
  readonly tookMs: number;
}

/** The client: gets ready for one way through one proxy, and drives it until it is closed. */
type Load = (contender: Contender, way: Way) => Promise<{ readonly drive: Drive; close(): Promise<void> }>;

/** Starts target and client. */
async function startLoad({ others: cpus }: Placement, lanes: number, started: Child[]): Promise<Load> {
  const start = (name: string) => new Child({ file: new URL(`children/${name}.js`, import.meta.url), cpus });
  const [target, client] = [start('target'), start('load')];
  started.push(target, client);
  const { port } = await target.ask<{ port: number }>('listen', { ...SELF_SIGNED, answerBytes: ANSWER_BYTES });
  const job = {
    target: { host: TARGET_HOST, port },
    servername: SERVERNAME,
    headers: REQUEST_HEADERS,
    answerBytes: ANSWER_BYTES,
    lanes,
  };
  return async ({ name, child, access }, way) => {
    await client.ask('open', { ...job, name, proxy: access, ca: access.ca, keeps: way === 'tunnels' });
    const drive: Drive = async (stint) => {
      const before = await child.ask<number>('cpuMicros');
      const driven = await client.ask<Omit<Spent, 'cpuMicros'>>('drive', { name, ...stint });
      return { ...driven, cpuMicros: (await child.ask<number>('cpuMicros')) - before };
    };
    return { drive, close: () => client.ask('close', { name }) };
  };
}

interface Turns {
  readonly settings: Settings;
  readonly sides: readonly { readonly side: Turn['side']; readonly contender: Contender }[];
  readonly load: Load;
  readonly tell: (progress: string) => void;
}

/** Drives all proxies in each way, round by round. Round 0 warms up and is not counted. */
async function takeTurns({ settings: { seconds, rounds }, sides, load, tell }: Turns): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    tell(round === 0 ? 'warming up\n' : `round ${round} of ${rounds}\n`);
    for (const way of WAYS) {
      const open = await Promise.all(
        sides.map(async ({ side, contender }) => ({ side, ...(await load(contender, way)) })),
      );
      if (round === 0) for (const { drive } of open) await drive(WARM_UP[way]);
      else {
        const spent = await alternate(
          open.map(({ drive }) => drive),
          seconds,
        );
        turns.push(...open.map(({ side }, index) => turnOf({ way, side, round }, spent[index] ?? [])));
      }
      await Promise.all(open.map((driven) => driven.close()));
    }
  }
  return turns;
}

/** Drives proxies in short slices, one after the other, until each had its time. What disturbs one disturbs the other. */
async function alternate(drives: readonly Drive[], seconds: number): Promise<readonly (readonly Spent[])[]> {
  const spent: Spent[][] = drives.map(() => []);
  const slice: Stint = { seconds: SLICE_SECONDS, requests: 0, maxSeconds: SLICE_SECONDS };
  for (let done = 0; done < seconds; done += SLICE_SECONDS) {
    for (const [index, drive] of drives.entries()) spent[index]?.push(await drive(slice));
  }
  return spent;
}

function turnOf(turn: Pick<Turn, 'way' | 'side' | 'round'>, slices: readonly Spent[]): Turn {
  const sum = (part: keyof Spent): number => slices.reduce((total, slice) => total + slice[part], 0);
  const [requests, cpuMicros, tookMs] = [sum('requests'), sum('cpuMicros'), sum('tookMs')];
  return {
    ...turn,
    requests,
    cpuMicrosPerRequest: cpuMicros / requests,
    requestsPerSecond: (requests / tookMs) * 1000,
    load: cpuMicros / 1000 / tookMs,
  };
}
