#!/usr/bin/env node
// The binary `session-proxy`: which commands there are, and how each end becomes an exit code.

import { createRequire } from 'node:module';

import { Command, CommanderError } from 'commander';

import { addCaCommand } from './ca-command.js';
import { addCheckCommand } from './check-command.js';
import { CliFailure, EXIT } from './failure.js';
import { addKeyCommand } from './key-command.js';
import { addServeCommand } from './serve-command.js';
import { addSessionsCommand } from './sessions-command.js';

process.exitCode = await run(process.argv);

/** Runs a command and tells its exit code; what it can't do is said on standard error. */
async function run(argv: readonly string[]): Promise<number> {
  // Whoever reads our output, `head` for one, may stop before its end; a gateway serves on all the same.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    await createProgram().parseAsync(argv);
    return EXIT.done;
  } catch (error) {
    // Commander has said what was wrong, or printed its help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badArguments;
    process.stderr.write(`session-proxy: ${describe(error)}\n`);
    return error instanceof CliFailure ? error.exitCode : EXIT.failed;
  }
}

function createProgram(): Command {
  const program = new Command('session-proxy')
    .description('A proxy server that gives crawlers sessions, each on one outgoing IP')
    .version(readVersion())
    .exitOverride()
    .showHelpAfterError('Run it with --help for what it takes.');
  addServeCommand(program);
  addSessionsCommand(program);
  addCaCommand(program);
  addKeyCommand(program);
  addCheckCommand(program);
  return program;
}

function readVersion(): string {
  // By name, for the command is bundled.
  const packageJson: unknown = createRequire(import.meta.url)('crawlee-session-proxy/package.json');
  const isPackage = typeof packageJson === 'object' && packageJson !== null && 'version' in packageJson;
  return isPackage ? String(packageJson.version) : 'unknown';
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isExpected = error instanceof CliFailure || error.name === 'SessionsClientError';
  // Whatever else comes here is a fault of ours, and where it was helps to mend it.
  return isExpected ? error.message : (error.stack ?? error.message);
}
