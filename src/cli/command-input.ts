// What a command was given by its surroundings: the one place of the CLI that reads them.

import type { Command } from 'commander';

import type { CommandInput } from './configuration.js';

/** Gathers the flags of a command, the environment and the working directory. */
export function inputOf(command: Command): CommandInput {
  return { flags: command.optsWithGlobals(), environment: process.env, workingDirectory: process.cwd() };
}

/** Writes a line, or several, to standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
