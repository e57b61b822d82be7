// Runs other people's programs to their end. Nothing of the caller's environment reaches them but the path.

import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { onTestFinished } from 'vitest';

/** How a program ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest a program may take, in milliseconds; then it is ended, and its test fails. */
const LIMIT_MS = 30_000;

/** Runs a program; rejects if it can't be started or takes too long, not for its exit code. */
export function runProgram(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    // A proxy or a CA bundle of the caller's environment would change what is tested.
    const env = { PATH: process.env['PATH'], HOME: tmpdir(), PYTHONDONTWRITEBYTECODE: '1' };
    const child = execFile(program, args, { env, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(new Error(`${program} did not end by itself: ${stderr}`, { cause: error }));
    });
    onTestFinished(() => void child.kill('SIGKILL'));
  });
}
