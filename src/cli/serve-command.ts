// `session-proxy serve`: its flags and help. The server itself is loaded only when it runs.

import type { Command } from 'commander';

import { inputOf } from './command-input.js';
import { flagsFor } from './option-sources.js';

const NOTES = `
Flags beat environment variables (in brackets), these beat the configuration file.
Durations: 250ms, 12s, 15m, 1h, or a number of seconds.
Sessions are kept in memory: a restart loses them.`;

/** Adds the command to the program. */
export function addServeCommand(program: Command): void {
  const command = program.command('serve').description('run a gateway until SIGINT or SIGTERM');
  for (const flag of flagsFor()) command.addOption(flag);
  command.addHelpText('after', NOTES).action(async () => {
    const { serve } = await import('./serve.js');
    await serve(inputOf(command));
  });
}
