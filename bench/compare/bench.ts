// What every row is given: the settings, where processes may run, and the processes themselves, started when they are
// first asked for and ended with the run.

import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Child } from '../shared/child.js';
import { choosePlacement, type Placement } from '../shared/placement.js';
import { CannotRun } from '../shared/arguments.js';
import type { Settings } from './options.js';

/** Where the target answers requests, sends without end, and takes without end. */
export interface TargetPorts {
  readonly answers: number;
  readonly source: number;
  readonly sink: number;
}

/** Something that ends with the run. */
export interface Closable {
  close(): Promise<void>;
}

/** What a process is started with. */
export interface StartGiven {
  /** Flags of Node's own. */
  readonly flags?: readonly string[] | undefined;
  /** Whether it is to be asked for its profile, in place of having Node write all of its life. */
  readonly profilesItself?: boolean | undefined;
}

/** A run of the command. */
export class Bench {
  readonly settings: Settings;
  readonly placement: Placement;
  /** For configurations, lists of sessions and what the proxies keep. */
  readonly directory: string;
  readonly tell: (progress: string) => void;
  readonly #closables: Closable[] = [];
  readonly #made = new Map<string, Promise<unknown>>();

  private constructor(settings: Settings, directory: string, tell: (progress: string) => void) {
    this.settings = settings;
    this.directory = directory;
    this.tell = tell;
    this.placement = choosePlacement();
    // For a run that is broken off.
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  }

  /** Makes ready; nothing is started yet. @throws CannotRun where the measurements can't be taken */
  static async open(settings: Settings, tell: (progress: string) => void): Promise<Bench> {
    if (process.platform !== 'linux')
      throw new CannotRun('The comparison reads processor times from /proc: run it on Linux');
    // A proxy that runs as a user of its own reads its configuration there.
    return new Bench(settings, await mkdtemp(path.join(tmpdir(), 'session-proxy-bench-')), tell);
  }

  /** Starts a process of Node's; it ends with the run, or with `close`. */
  start(file: URL, side: 'proxies' | 'others' | 'anywhere', more: StartGiven = {}): Child {
    const { profileDir } = this.settings;
    const child = new Child({
      file,
      cpus: side === 'anywhere' ? undefined : this.placement[side],
      profileDir: side === 'others' || more.profilesItself === true ? undefined : profileDir,
      flags: more.flags,
    });
    return this.keep(child);
  }

  /** Has something end with the run. */
  keep<T extends Closable>(closable: T): T {
    this.#closables.push(closable);
    return closable;
  }

  /** Makes something once, however many rows ask for it. */
  once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const made = this.#made.get(name) ?? make();
    this.#made.set(name, made);
    return made as Promise<T>;
  }

  /** The target of all rows, and the process it runs in. */
  target(): Promise<{ readonly child: Child; readonly ports: TargetPorts }> {
    return this.once('target', async () => {
      const child = this.start(new URL('children/target.js', import.meta.url), 'others');
      return { child, ports: await child.ask<TargetPorts>('listen') };
    });
  }

  /** Ends what was started. */
  async close(): Promise<void> {
    await Promise.all(this.#closables.map((closable) => closable.close()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}
