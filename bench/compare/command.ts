// The command: reads its arguments, measures row by row, prints, and tells the exit code. Prints through the functions it
// is given, and never ends the process.

import { readFile, writeFile } from 'node:fs/promises';
import { format } from 'node:util';

import { Bench } from './bench.js';
import { CannotRun } from '../shared/arguments.js';
import { helpOf, readSettings, type Settings } from './options.js';
import { withLastRun } from './readme.js';
import { formatJson, formatReport, formatSection, type Report } from './report.js';
import { chooseRows, ROWS } from './rows.js';
import type { Section } from './row.js';

/** Where the command prints to. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Exit codes: measured, an aim was missed where that was to be checked, or nothing could be measured. */
const EXIT = { measured: 0, missed: 1, cannotRun: 2 } as const;

const README = new URL('../README.md', import.meta.url);

/** Runs the command. @param argv without the names of node and the file */
export async function runCommand(argv: readonly string[], { out, err }: Output): Promise<number> {
  try {
    const settings = readSettings(argv);
    if (settings !== 'help') return await report(settings, { out, err });
    out(helpOf(ROWS.map(({ name, title }) => `  ${name.padEnd(21)}${title}\n`).join('')));
    return EXIT.measured;
  } catch (error) {
    // Whatever else it is, it is a fault of a proxy or of the measurement, and no result.
    const told = error instanceof CannotRun ? `${error.message}\nRun it with --help for what it takes.` : format(error);
    err(`bench: ${told}\n`);
    return EXIT.cannotRun;
  }
}

async function report(settings: Settings, { out, err }: Output): Promise<number> {
  const made = await measure(settings, err);
  out(formatReport(made));
  if (settings.jsonFile !== undefined) await writeFile(settings.jsonFile, formatJson(made));
  if (settings.readme) await writeFile(README, withLastRun(await readFile(README, 'utf8'), made));
  return settings.check && isMissed(made.sections) ? EXIT.missed : EXIT.measured;
}

async function measure(settings: Settings, tell: Output['err']): Promise<Report> {
  const rows = chooseRows(settings.only);
  if (rows.length === 0) throw new CannotRun(`No row has a name that begins with ${settings.only.join(' or ')}`);
  const bench = await Bench.open(settings, tell);
  try {
    const sections: Section[] = [];
    for (const row of rows) {
      const section = await row.run(bench);
      sections.push(section);
      tell(formatSection(section));
    }
    return { settings, placement: bench.placement, sections };
  } finally {
    await bench.close();
  }
}

function isMissed(sections: readonly Section[]): boolean {
  return sections.some(({ judged }) => judged.some(({ verdict }) => verdict === 'missed'));
}
