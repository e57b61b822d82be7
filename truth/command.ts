// The command: reads its arguments, runs the crawls one after the other, prints the table, and tells the exit code.

import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { log } from 'crawlee';

import { CRAWLS } from './crawls.js';
import { isTrue, measure } from './measure.js';
import type { Amount, Measured, WayName } from './measure.js';
import { formatJson, formatTable } from './report.js';

const HELP = `Counts requests that leave by another outgoing IP than their session's, with the plugin and with Crawlee alone.

  npm run truth -- [options]

Every crawler class crawls pages over http and https, with an image, a frame, an image of another origin in the frame and
a fetch(), through a gateway in this process whose upstreams are addresses of this machine; the target compares. Nothing
leaves the machine. A mismatch with the plugin ends the command with 1, bad arguments with 2.

  --requests N     pages of each crawl                                          300
  --sessions N     sessions, each with an outgoing IP of its own, 250 at most   10
  --only TEXT      crawls whose name has this in it, or is this after =
  --plugin-only    leave Crawlee alone out
  --chromium FILE  Chromium, CHROMIUM_PATH                                      /usr/bin/chromium
  --json           print results for programs
  --help           print this
`;

/** Where the command prints to. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** What the command was asked to do. */
interface Settings extends Amount {
  readonly only: string;
  readonly ways: readonly WayName[];
  readonly json: boolean;
}

/** Exit codes: no mismatch with the plugin, some, or nothing was run. */
export const EXIT = { held: 0, failed: 1, badArguments: 2 } as const;

/** Arguments that can't be followed; the message says which. */
class BadArguments extends Error {}

/** Runs the command. @param argv without the names of node and the file */
export async function runCommand(argv: readonly string[], { out, err }: Output): Promise<number> {
  try {
    const settings = readSettings(argv);
    if (settings === 'help') {
      out(HELP);
      return EXIT.held;
    }
    const rows = await runAll(settings, settings.json ? () => {} : err);
    out(settings.json ? formatJson(rows) : formatTable(rows));
    return rows.every((row) => row.way === 'alone' || isTrue(row)) ? EXIT.held : EXIT.failed;
  } catch (error) {
    if (!(error instanceof BadArguments)) throw error;
    err(`truth: ${error.message}\nRun it with --help for what it takes.\n`);
    return EXIT.badArguments;
  }
}

async function runAll({ only, ways, ...amount }: Settings, say: Output['err']): Promise<readonly Measured[]> {
  log.setLevel(log.LEVELS.ERROR);
  const rows: Measured[] = [];
  for (const crawl of CRAWLS.filter(({ name }) => isWanted(name, only))) {
    for (const way of ways) {
      say(`${crawl.name}, ${way === 'plugin' ? 'with the plugin' : 'Crawlee alone'} …\n`);
      // Each has the machine for itself, for their times stand beside each other.
      // oxlint-disable-next-line no-await-in-loop
      const row = await measure(crawl, way, amount);
      say(`  ${row.wrongRequests} of ${row.requests} requests wrong, after ${row.seconds.toFixed(0)} s\n`);
      rows.push(row);
    }
  }
  return rows;
}

function readSettings(argv: readonly string[]): Settings | 'help' {
  const { values } = parse(argv);
  if (values.help === true) return 'help';
  const chromiumPath = values.chromium ?? process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
  if (!existsSync(chromiumPath))
    throw new BadArguments(`There is no Chromium at ${chromiumPath}; name it with --chromium`);
  const only = values.only ?? '';
  if (!CRAWLS.some(({ name }) => isWanted(name, only))) {
    throw new BadArguments(`No crawl has ${only} in its name; there are ${CRAWLS.map(({ name }) => name).join('; ')}`);
  }
  return {
    requests: readCount('--requests', values.requests ?? '300', 100_000),
    // 127.0.0.2 and up.
    sessions: readCount('--sessions', values.sessions ?? '10', 250),
    chromiumPath,
    only,
    ways: values['plugin-only'] === true ? ['plugin'] : ['plugin', 'alone'],
    json: values.json === true,
  };
}

function isWanted(name: string, only: string): boolean {
  return only.startsWith('=') ? name === only.slice(1) : name.includes(only);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        requests: { type: 'string' },
        sessions: { type: 'string' },
        only: { type: 'string' },
        'plugin-only': { type: 'boolean' },
        chromium: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new BadArguments(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readCount(name: string, text: string, most: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new BadArguments(`${name} takes a whole number from 1 to ${most}, not ${text}`);
}
