// The arguments of the command and what they mean. The one place that knows their names and defaults.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { CannotRun, readNumber } from '../shared/arguments.js';

/** The help; `rows` is the list of what can be measured. */
export const helpOf = (
  rows: string,
): string => `Compares the gateway with its peers: requests per second and processor time per request, in one run.

  npm run bench -- [options]

  --only NAME      rows whose name begins so; may be repeated                       all
  --rounds N       rounds that count; the contenders take turns in each             5
  --seconds N      how long each contender is driven in each round                  2
  --warm N         how long each is driven before that, in seconds of its own
                   processor time, and at most four times as long                   6
  --by rate|cpu    what the aims are held against: requests per second, or requests
                   per second of the proxy's processor, which a busy machine
                   disturbs less                                                    rate
  --check          exit 1 if an aim is missed
  --json FILE      write all numbers there
  --readme         write the results into bench/README.md, under "Last run"
  --dist DIR       the built project to measure                                     dist
  --profile DIR    have Node write a CPU profile of each proxy there; it costs time itself
  --help           print this

Rows:
${rows}`;

/** What the command was asked to do. */
export interface Settings {
  /** Beginnings of names; none: all rows. */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  /** Of processor time. */
  readonly warmSeconds: number;
  readonly by: 'rate' | 'cpu';
  readonly check: boolean;
  readonly jsonFile: string | undefined;
  readonly readme: boolean;
  /** Directory of the built project. */
  readonly dist: string;
  readonly profileDir: string | undefined;
}

const BUILT = fileURLToPath(new URL('../../dist', import.meta.url));

/**
 * Reads the arguments.
 *
 * @returns `help` where that was asked for instead of a run
 * @throws CannotRun for arguments that can't be followed
 */
export function readSettings(argv: readonly string[]): Settings | 'help' {
  const given = parse(argv);
  if (given.help === true) return 'help';
  return {
    only: given.only ?? [],
    rounds: readNumber('rounds', given.rounds) ?? 5,
    seconds: readNumber('seconds', given.seconds) ?? 2,
    warmSeconds: readNumber('warm', given.warm) ?? 6,
    by: readBy(given.by),
    check: given.check ?? false,
    jsonFile: given.json,
    readme: given.readme ?? false,
    dist: given.dist ?? BUILT,
    profileDir: given.profile,
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string', multiple: true },
        rounds: text,
        seconds: text,
        warm: text,
        by: text,
        check: flag,
        json: text,
        readme: flag,
        dist: text,
        profile: text,
        help: flag,
      },
    }).values;
  } catch (error) {
    throw new CannotRun((error as Error).message, { cause: error });
  }
}

function readBy(written: string = 'rate'): Settings['by'] {
  if (written !== 'rate' && written !== 'cpu') throw new CannotRun(`--by takes rate or cpu, not "${written}"`);
  return written;
}
