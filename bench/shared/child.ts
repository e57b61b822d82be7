// A process of a measurement, and the questions it is asked. What they are is settled in the `children/` of each.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { pinned } from './placement.js';

/** How to start a process. */
export interface ChildOptions {
  /** What Node runs in it. */
  readonly file: URL;
  /** Processors it may use, as `taskset` takes them; undefined: any. */
  readonly cpus?: string | undefined;
  readonly profileDir?: string | undefined;
  /** Flags of Node's own. */
  readonly flags?: readonly string[] | undefined;
}

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly failure?: string;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A running process. It ends with this one, whatever happens. */
export class Child {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor({ file, cpus, profileDir, flags = [] }: ChildOptions) {
    const script = fileURLToPath(file);
    const profile = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir];
    const [command, ...args] = pinned(cpus, [process.execPath, ...flags, ...profile, script]);
    this.#name = path.basename(script, '.js');
    this.#process = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#process.on('message', (reply) => this.#onReply(reply as Reply));
    this.#exited = once(this.#process, 'exit');
    this.#process.once('exit', () => this.#failAll());
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`The process of ${this.#name} was not started`);
    return this.#process.pid;
  }

  /** Asks, and waits for the answer. @throws what the process failed with, also if it ended */
  ask<T>(question: string, given: object = {}): Promise<T> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#process.send({ id, question, given }, (error) => error !== null && reject(error));
    });
  }

  /** Ends the process. */
  async close(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.#exited;
  }

  #onReply({ id, answer, failure }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(`${this.#name} failed: ${failure}`));
  }

  #failAll(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`The process of ${this.#name} ended`));
    this.#waiting.clear();
  }
}
