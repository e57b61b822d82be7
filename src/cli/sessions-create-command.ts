// `session-proxy sessions create`: prints the bare ID, so that a script can take it as it is.

import type { Command } from 'commander';

import { inputOf, print } from './command-input.js';
import { accessFlags, openClient } from './gateway-access.js';

/** Adds the command to its group. */
export function addSessionsCreateCommand(group: Command): void {
  const command = group.command('create').description('create a session and print its ID');
  for (const flag of accessFlags()) command.addOption(flag);
  command.action(async () => {
    const client = await openClient(inputOf(command));
    print((await client.create()).id);
  });
}
