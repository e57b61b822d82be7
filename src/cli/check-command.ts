// `session-proxy check`: its flags. What it does is loaded only when it runs.

import { type Command, Option } from 'commander';

import { inputOf } from './command-input.js';
import { flagsFor } from './option-sources.js';

const NOTES = `
Proxies are asked for outgoingIps.echoUrl or health.probe.url, if the configuration names one; without, they are only
connected to. Addresses of this machine are bound, which needs no network.
Exit codes: 0 all work, 1 one is faulty, 2 the configuration is refused.`;

/** Adds the command to the program. */
export function addCheckCommand(program: Command): void {
  const command = program
    .command('check')
    .description('validate the configuration, try every upstream, print a table; fails where one is faulty')
    .option('--json', 'print JSON')
    .addOption(
      new Option(
        '--url <URL>',
        'show the upstreams of a running gateway instead, given as http://KEY:@host:port [SESSION_PROXY_URL]',
      ),
    );
  for (const flag of flagsFor()) command.addOption(flag);
  command.addHelpText('after', NOTES).action(async ({ json }: { readonly json?: true }) => {
    const { check } = await import('./check.js');
    await check(inputOf(command), json === true);
  });
}
