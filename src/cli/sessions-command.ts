// `session-proxy sessions`: the group of its commands, each in a file of its own.

import type { Command } from 'commander';

import { addSessionsCreateCommand } from './sessions-create-command.js';
import { addSessionsDeleteCommand } from './sessions-delete-command.js';
import { addSessionsListCommand } from './sessions-list-command.js';

/** Adds the group to the program. */
export function addSessionsCommand(program: Command): void {
  const group = program.command('sessions').description('list, create and delete the sessions of a running gateway');
  addSessionsListCommand(group);
  addSessionsCreateCommand(group);
  addSessionsDeleteCommand(group);
}
