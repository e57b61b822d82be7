// The command: reads its arguments, runs the checks, prints, and tells the exit code. Prints through the functions it is
// given, and never ends the process.

import { ALL_CHECKS } from './checks/all-checks.js';
import { BadArguments, HELP, readSettings, type Settings } from './options.js';
import { formatJson, formatList, formatReport, scoreOf } from './report.js';
import { runChecks } from './runner.js';

/** Where the command prints to. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Exit codes: all documented sentences hold, one does not, or nothing could be checked. */
export const EXIT = { held: 0, failed: 1, badArguments: 2 } as const;

/** Runs the command. @param argv without the names of node and the file */
export async function runCommand(argv: readonly string[], { out, err }: Output): Promise<number> {
  try {
    const settings = readSettings(argv);
    if (settings === 'help') out(HELP);
    else if (settings === 'list') out(formatList(ALL_CHECKS));
    else return await check(settings, out);
    return EXIT.held;
  } catch (error) {
    if (!(error instanceof BadArguments)) throw error;
    err(`conformance: ${error.message}\nRun it with --help for what it takes.\n`);
    return EXIT.badArguments;
  }
}

async function check(settings: Settings, out: Output['out']): Promise<number> {
  const checks = ALL_CHECKS.filter(({ id }) => isWanted(id, settings.only));
  if (checks.length === 0)
    throw new BadArguments(`No check begins with ${settings.only.join(' or ')}; --list has them`);
  const results = await runChecks(settings, checks).catch((error: Error) => {
    const { host, port } = settings.server;
    throw new BadArguments(`The checks can't be run against ${host}:${port}: ${error.message}`, { cause: error });
  });
  out(settings.json ? formatJson(results) : formatReport(results));
  return scoreOf(results, 'documented').failed === 0 ? EXIT.held : EXIT.failed;
}

function isWanted(id: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((wanted) => id.startsWith(wanted));
}
