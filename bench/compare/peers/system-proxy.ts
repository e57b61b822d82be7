// A proxy that the system brings, run in the foreground with a configuration of ours until the run ends.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

import { killAtExit } from '../../shared/kill-at-exit.js';
import { pinned } from '../../shared/placement.js';
import type { Bench, Closable } from '../bench.js';
import { waitForPort } from './free-port.js';

/** What the program prints about its version; undefined where it isn't installed. */
export function versionOf(command: string, flag: string, pattern: RegExp): string | undefined {
  const { stdout, stderr, error } = spawnSync(command, [flag], { encoding: 'utf8' });
  if (error !== undefined) return undefined;
  return pattern.exec(`${stdout}${stderr}`)?.[1];
}

/** Runs a proxy on the processor of the proxies, and waits until it listens. @returns its process ID */
export async function startSystemProxy(
  bench: Bench,
  command: readonly [string, ...string[]],
  port: number,
): Promise<number> {
  const [program, ...args] = pinned(bench.placement.proxies, command);
  const proxy = bench.keep(new SystemProxy(spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })));
  await waitForPort(port, () => proxy.failure);
  return proxy.pid;
}

class SystemProxy implements Closable {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.#process = child;
    this.#exited = once(child, 'exit');
    // Unlike the children that are asked, it does not notice when this process ends.
    killAtExit(child);
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.#process.spawnfile} was not started`);
    return this.#process.pid;
  }

  get failure(): string | undefined {
    const { exitCode, spawnargs } = this.#process;
    return exitCode === null ? undefined : `${spawnargs.join(' ')} ended with ${exitCode}`;
  }

  async close(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }
}
