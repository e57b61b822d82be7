// The command: reads its arguments, measures, prints, and tells the exit code. Prints through the functions it is given,
// and never ends the process.

import { format } from 'node:util';

import { measure } from './measure.js';
import { CannotRun } from '../shared/arguments.js';
import { HELP, readSettings, type Settings } from './options.js';
import { formatJson, formatReport } from './report.js';
import { compare, isReached } from './results.js';

/** Where the command prints to. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Exit codes: measured, the aim was missed where that was to be checked, or nothing could be measured. */
const EXIT = { measured: 0, missed: 1, cannotRun: 2 } as const;

/** Runs the command. @param argv without the names of node and the file */
export async function runCommand(argv: readonly string[], { out, err }: Output): Promise<number> {
  try {
    const settings = readSettings(argv);
    if (settings !== 'help') return await report(settings, { out, err });
    out(HELP);
    return EXIT.measured;
  } catch (error) {
    // Whatever else it is, it is a fault of a proxy or of the measurement, and no result.
    const told = error instanceof CannotRun ? `${error.message}\nRun it with --help for what it takes.` : format(error);
    err(`bench:intercept: ${told}\n`);
    return EXIT.cannotRun;
  }
}

async function report(settings: Settings, { out, err }: Output): Promise<number> {
  const run = await measure(settings, err);
  const comparisons = compare(run);
  out((settings.json ? formatJson : formatReport)({ settings, run, comparisons }));
  return settings.check && !isReached(comparisons) ? EXIT.missed : EXIT.measured;
}
