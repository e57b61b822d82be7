// `session-proxy sessions delete`: ends one session, or all of an API key.

import type { Command } from 'commander';

import type { SessionsClient } from '../client/index.js';
import { inputOf, print } from './command-input.js';
import { CliFailure, EXIT } from './failure.js';
import { accessFlags, openClient } from './gateway-access.js';

/** Adds the command to its group. */
export function addSessionsDeleteCommand(group: Command): void {
  const command = group
    .command('delete')
    .description('delete a session, or all of the API key')
    .argument('[ID]', 'the session')
    .option('--all', 'delete all sessions of the API key');
  for (const flag of accessFlags()) command.addOption(flag);
  command.action(async (id: string | undefined, { all }: { readonly all?: true }) => {
    if ((id === undefined) === (all === undefined)) {
      throw new CliFailure(EXIT.badArguments, 'Give either the ID of a session or --all');
    }
    const client = await openClient(inputOf(command));
    print(id === undefined ? await deleteAll(client) : await deleteOne(client, id));
  });
}

async function deleteOne(client: SessionsClient, id: string): Promise<string> {
  if (await client.delete(id)) return `Deleted session ${id}.`;
  throw new CliFailure(
    EXIT.failed,
    `There is no session ${id}: it expired or was deleted, or belongs to another API key`,
  );
}

async function deleteAll(client: SessionsClient): Promise<string> {
  // First all IDs: pages would shift under the deletions.
  const ids: string[] = [];
  for await (const { id } of client.listAll()) ids.push(id);
  let deleted = 0;
  for (const id of ids) {
    // One after the other: the gateway has other things to do.
    // oxlint-disable-next-line no-await-in-loop
    if (await client.delete(id)) deleted += 1;
  }
  return `Deleted ${deleted} ${deleted === 1 ? 'session' : 'sessions'}.`;
}
