// wrk as the client of plain requests. One runs for each contender as long as the row does and is stopped between turns, so
// that connections stay: opening and breaking them off in each turn would be part of what is measured. The target counts.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { killAtExit } from '../shared/kill-at-exit.js';
import { pinned } from '../shared/placement.js';
import { cpuMicrosOf } from '../shared/processor-time.js';
import { REQUEST_HEADERS } from '../shared/request-headers.js';
import type { Bench } from './bench.js';
import type { Contender } from './contender.js';
import type { Driven } from './contest.js';
import type { PlainWork } from './loads.js';

/** Whether wrk is installed. */
export function hasWrk(): boolean {
  return spawnSync('wrk', ['-v']).error === undefined;
}

/** What it prints at its end. */
interface WrkResult {
  readonly requests: number;
  readonly failed: number;
}

/** In which a proxy ends what it was about when its client was stopped, in milliseconds. */
const SETTLES_WITHIN_MS = 30;

const WAKES_WITHIN_MS = 200;

/** Longer than any row. */
const LONGEST = '3h';

/** Plain requests through a contender, by wrk. */
export async function readyWrk(bench: Bench, one: Contender, work: PlainWork): Promise<Driven> {
  const { child: target } = await bench.target();
  // Of its own, so that its answers can be told from those of others.
  const { port } = await target.ask<{ port: number }>('listenForOne');
  const wrk = new Wrk(one.label, await commandOf(bench, one, { ...work, targetPort: port }));
  const answered = () => target.ask<number>('answered', { port });
  return {
    begin: async () => undefined,
    end: async () => undefined,
    async drive(seconds) {
      const before = await answered();
      const tookMs = await wrk.run(seconds);
      await setTimeout(SETTLES_WITHIN_MS);
      return { count: (await answered()) - before, tookMs };
    },
    loadMicros: () => cpuMicrosOf(target.pid) + cpuMicrosOf(wrk.pid),
    close: () => wrk.close(),
  };
}

/** A running wrk, stopped at once. */
class Wrk {
  readonly #label: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #printed = '';

  constructor(label: string, [program, ...args]: readonly [string, ...string[]]) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (chunk: Buffer) => (this.#printed += chunk.toString()));
    killAtExit(child);
    this.#label = label;
    this.#process = child;
    this.#ended = once(child, 'close');
    child.kill('SIGSTOP');
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error('wrk was not started');
    return this.#process.pid;
  }

  /** Lets it go on for a while. @returns how long that was, in milliseconds */
  async run(seconds: number): Promise<number> {
    const startedAtMs = performance.now();
    this.#process.kill('SIGCONT');
    await setTimeout(seconds * 1000);
    this.#process.kill('SIGSTOP');
    const tookMs = performance.now() - startedAtMs;
    if (this.#process.exitCode !== null) throw new Error(`wrk ended:\n${this.#printed}`);
    return tookMs;
  }

  /** Ends it. @throws where requests have failed */
  async close(): Promise<void> {
    this.#process.kill('SIGCONT');
    // The signal must find the main thread awake: taken by another one it does not end wrk.
    await setTimeout(WAKES_WITHIN_MS);
    this.#process.kill('SIGINT');
    await this.#ended;
    const result = JSON.parse(/^RESULT (.*)$/m.exec(this.#printed)?.[1] ?? 'null') as WrkResult | null;
    if (result === null || result.requests === 0 || result.failed > 0) {
      throw new Error(`${this.#label} failed requests of wrk:\n${this.#printed}`);
    }
  }
}

interface WrkWork extends PlainWork {
  readonly targetPort: number;
}

async function commandOf(bench: Bench, one: Contender, work: WrkWork): Promise<readonly [string, ...string[]]> {
  const { clients, answerBytes, targetPort } = work;
  const fieldsFile = path.join(bench.directory, `fields-${targetPort}`);
  await writeFile(fieldsFile, fieldsOf(one, targetPort));
  const sessionsFile = one.sessions === undefined ? '-' : path.join(bench.directory, `sessions-${targetPort}`);
  if (one.sessions !== undefined) await writeFile(sessionsFile, one.sessions.map((id) => `${id}\n`).join(''));
  const script = fileURLToPath(new URL('wrk.lua', import.meta.url));
  const [way, port] = one.pid === undefined ? ['none', targetPort] : ['proxy', one.port];
  const url = `http://127.0.0.1:${targetPort}/${answerBytes}`;
  const wrk = ['wrk', '-t1', `-c${clients}`, `-d${LONGEST}`, '-s', script] as const;
  return pinned(bench.placement.others, [...wrk, `http://127.0.0.1:${port}`, '--', url, way, fieldsFile, sessionsFile]);
}

/** Header fields of a plain request, without the session, which changes from one to the next. */
function fieldsOf({ authorization }: Contender, port: number): string {
  const fields = { Host: `127.0.0.1:${port}`, ...REQUEST_HEADERS };
  const credentials = authorization === undefined ? {} : { 'Proxy-Authorization': authorization };
  const lines = Object.entries({ ...fields, ...credentials }).map(([name, value]) => `${name}: ${value}\r\n`);
  return lines.join('');
}
