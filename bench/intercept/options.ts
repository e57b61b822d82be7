// The arguments of the command and what they mean. The one place that knows their names and defaults.

import { parseArgs } from 'node:util';

import { CannotRun, readNumber } from '../shared/arguments.js';

export const HELP = `Measures the CPU that one intercepted request costs, and compares it with mockttp's pass-through in the same run.

  npm run bench:intercept -- [options]

  --seconds N      how long each proxy is driven in each round                      2
  --rounds N       rounds that count; the proxies take turns in each                7
  --lanes N        requests in flight, each on a connection of its own              16
  --json           print the results for programs
  --check          exit 1 if the aim is missed, or nothing could be compared
  --log LEVEL      let the gateway write its log at this level, to nowhere          silent
  --gateway FILE   entry of the gateway to measure                                  dist/gateway/index.js
  --profile DIR    have Node write a CPU profile of each proxy there; it costs time itself
  --help           print this
`;

/** What the command was asked to do. */
export interface Settings {
  readonly seconds: number;
  readonly rounds: number;
  readonly lanes: number;
  readonly json: boolean;
  readonly check: boolean;
  readonly logLevel: string;
  /** Undefined: what `npm run build` made. */
  readonly gateway: string | undefined;
  readonly profileDir: string | undefined;
}

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
    seconds: readNumber('seconds', given.seconds) ?? 2,
    rounds: readNumber('rounds', given.rounds) ?? 7,
    lanes: readNumber('lanes', given.lanes) ?? 16,
    json: given.json ?? false,
    check: given.check ?? false,
    logLevel: given.log ?? 'silent',
    gateway: given.gateway,
    profileDir: given.profile,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        lanes: { type: 'string' },
        json: { type: 'boolean' },
        check: { type: 'boolean' },
        log: { type: 'string' },
        gateway: { type: 'string' },
        profile: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new CannotRun((error as Error).message, { cause: error });
  }
}
