// `session-proxy sessions list`: a table for people, or JSON for programs.

import type { Command } from 'commander';

import type { SessionResource, SessionsClient } from '../client/index.js';
import { inputOf, print } from './command-input.js';
import { accessFlags, openClient } from './gateway-access.js';
import { formatDuration, formatTable } from './table.js';

/** Adds the command to its group. */
export function addSessionsListCommand(group: Command): void {
  const command = group.command('list').description('list the sessions of the API key').option('--json', 'print JSON');
  for (const flag of accessFlags()) command.addOption(flag);
  command.action(async ({ json }: { readonly json?: true }) => {
    const sessions = await listAll(await openClient(inputOf(command)));
    if (json === true) return print(JSON.stringify(sessions, undefined, 2));
    return print(sessions.length === 0 ? 'There are no sessions.' : tableOf(sessions));
  });
}

async function listAll(client: SessionsClient): Promise<readonly SessionResource[]> {
  const sessions: SessionResource[] = [];
  for await (const session of client.listAll()) sessions.push(session);
  return sessions;
}

function tableOf(sessions: readonly SessionResource[]): string {
  const rows = sessions.map(({ id, name, outgoingIp, uses, nextUseInMs, expiresAt }) => [
    id,
    name ?? '-',
    outgoingIp,
    String(uses),
    nextUseInMs === 0 ? 'now' : formatDuration(nextUseInMs),
    expiresAt ?? 'in use',
  ]);
  return formatTable(['ID', 'NAME', 'OUTGOING IP', 'USES', 'NEXT USE IN', 'EXPIRES AT'], rows);
}
