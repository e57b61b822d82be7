// `session-proxy key`: prints the API key of `serve`.

import type { Command } from 'commander';

import { inputOf, print } from './command-input.js';
import { flagsFor } from './option-sources.js';

/** Adds the command to the program. */
export function addKeyCommand(program: Command): void {
  const command = program
    .command('key')
    .description('print the API key that the first start made, or that is configured');
  for (const flag of flagsFor(['apiKeys', 'dataDir'])) command.addOption(flag);
  command.action(async () => {
    const [{ loadConfigurationOfClient }, { resolveApiKey }] = await Promise.all([
      import('./configuration.js'),
      import('./gateway-access.js'),
    ]);
    print(await resolveApiKey(await loadConfigurationOfClient(inputOf(command))));
  });
}
