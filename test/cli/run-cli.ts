// Runs the real binary, from its source or as it is built, in a directory and with a home of its own.

import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onTestFinished } from 'vitest';

/** How a command ended. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface RunningCli {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<CliResult>;
  /** Resolves with all output of a stream once it matches; rejects if the command ends before. */
  waitFor(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string>;
}

/** What surrounds a command. */
export interface CliSurroundings {
  /** Its home and working directory. */
  readonly home: string;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Run what `npm run build` made. @default under `npm test`, which has built it: what users get, and it starts sooner */
  readonly built?: boolean | undefined;
}

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const BUILT_MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const WAS_BUILT = process.env['npm_lifecycle_event'] === 'test';

/** Makes a directory that goes with the test. */
export async function createHome(): Promise<string> {
  const home = await mkdtemp(path.join(tmpdir(), 'session-proxy-cli-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  return home;
}

/** Starts a command; what still runs at the end of the test is ended with it. */
function startCli(args: readonly string[], { home, environment = {}, built = WAS_BUILT }: CliSurroundings): RunningCli {
  const program = built ? [BUILT_MAIN] : ['--import', TSX, MAIN];
  const child = spawn(process.execPath, [...program, ...args], {
    cwd: home,
    // Nothing of the caller's: a SESSION_PROXY_… of theirs would change what is tested.
    env: { PATH: process.env['PATH'], HOME: home, USERPROFILE: home, ...environment },
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, ...output }));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const waitFor: RunningCli['waitFor'] = (stream, pattern) =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (pattern.test(output[stream])) resolve(output[stream]);
      };
      child[stream].on('data', check);
      check();
      void ended.then(({ code }) =>
        reject(new Error(`Ended with ${code} before ${pattern}: ${JSON.stringify(output)}`)),
      );
    });
  return { child, ended, waitFor };
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], surroundings: CliSurroundings): Promise<CliResult> {
  return startCli(args, surroundings).ended;
}

/** Starts `serve` on any free port and waits until it listens. */
export async function startServe(
  args: readonly string[],
  surroundings: CliSurroundings,
): Promise<RunningCli & { readonly stdout: string; readonly url: string }> {
  const running = startCli(['serve', '--port', '0', '--upstream', 'direct://', ...args], surroundings);
  // The last line of each of the things it may say.
  const stdout = await running.waitFor('stdout', /The API key is .*\n|curl .*\n/);
  const url = /listens on (http:\/\/\S+)/.exec(stdout)?.[1];
  if (url === undefined) throw new Error(`No address in ${stdout}`);
  return { ...running, stdout, url };
}
