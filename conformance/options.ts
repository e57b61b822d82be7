// The arguments of the command and what they mean. The one place that knows their names and defaults.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Delays } from './check.js';
import type { ProxyAddress } from './wire/proxy-client.js';

export const HELP = `Checks a server of the session protocol against its documents.

  npm run conformance -- --url http://KEY:@host:port [options]

The targets that the server is to fetch are started here, on free ports of --target-host; the server must be able to
reach them, and must be allowed to (private addresses; a self-signed certificate for https). What can't be told is not
run, with the reason. A documented failure ends the command with 1, bad arguments or an unreachable server with 2.

  --url URL              the server; the user is the API key
  --delay MS             the server's delay between two uses of one outgoing IP; 0: it keeps none     12000
  --soft MS              the delay from which on answers tell it                                      120000
  --hold MS              the longest it holds a request                                               900000
  --hard MS              the delay from which on it refuses requests                                  1000000
  --slow                 run also what takes longer than half a minute
  --target-host HOST     this machine, as the server reaches it; outside 127.0.0.0/8 the ban checks
                         are not run, for they need hosts of their own                                127.0.0.1
  --ca FILE              certificate that the server signs intercepted targets with; else GET /ca.crt
  --other-key KEY        a second API key, to see that keys don't see each other's sessions
  --max-sessions N       the sessions a key may have, to see what happens to one more
  --max-connections N    the requests a key may have in flight, to see what happens to one more
  --forbidden-host HOST  a host that the server refuses to fetch
  --only ID              run this check, or all whose ID begins so (repeatable)
  --list                 print the checks, and run none
  --json                 print results for programs
  --help                 print this
`;

/** What the command was asked to do. */
export interface Settings {
  readonly server: ProxyAddress;
  readonly delays: Delays;
  readonly slow: boolean;
  readonly targetHost: string;
  /** PEM. */
  readonly ca: string | undefined;
  readonly otherKey: string | undefined;
  readonly maxSessions: number | undefined;
  readonly maxConnections: number | undefined;
  readonly forbiddenHost: string | undefined;
  readonly only: readonly string[];
  readonly json: boolean;
}

/** Arguments that can't be followed; the message says which. */
export class BadArguments extends Error {
  override readonly name = 'BadArguments';
}

/**
 * Reads the arguments.
 *
 * @returns `help` or `list` where that was asked for instead of a run
 * @throws BadArguments
 */
export function readSettings(argv: readonly string[]): Settings | 'help' | 'list' {
  const given = parse(argv);
  if (given.help === true) return 'help';
  if (given.list === true) return 'list';
  return {
    server: readServer(given.url),
    delays: {
      delayMs: readNumber('delay', given.delay) ?? 12_000,
      softMs: readNumber('soft', given.soft) ?? 120_000,
      holdMs: readNumber('hold', given.hold) ?? 900_000,
      hardMs: readNumber('hard', given.hard) ?? 1_000_000,
    },
    slow: given.slow ?? false,
    targetHost: given['target-host'] ?? '127.0.0.1',
    ca: given.ca === undefined ? undefined : readFile(given.ca),
    otherKey: given['other-key'],
    maxSessions: readNumber('max-sessions', given['max-sessions']),
    maxConnections: readNumber('max-connections', given['max-connections']),
    forbiddenHost: given['forbidden-host'],
    only: given.only ?? [],
    json: given.json ?? false,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        url: { type: 'string' },
        delay: { type: 'string' },
        soft: { type: 'string' },
        hold: { type: 'string' },
        hard: { type: 'string' },
        slow: { type: 'boolean' },
        'target-host': { type: 'string' },
        ca: { type: 'string' },
        'other-key': { type: 'string' },
        'max-sessions': { type: 'string' },
        'max-connections': { type: 'string' },
        'forbidden-host': { type: 'string' },
        only: { type: 'string', multiple: true },
        list: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new BadArguments((error as Error).message, { cause: error });
  }
}

function readServer(written: string | undefined): ProxyAddress {
  if (written === undefined) throw new BadArguments('Give the server: --url http://KEY:@host:port');
  // Whatever is wrong with it, the message must not show the key.
  if (!URL.canParse(written)) throw new BadArguments('--url takes http://KEY:@host:port; this is no URL');
  const url = new URL(written);
  if (url.protocol !== 'http:') throw new BadArguments(`--url takes http://KEY:@host:port, not ${url.protocol}//`);
  if (url.username === '') throw new BadArguments('--url takes the API key as its user: http://KEY:@host:port');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 80 : Number(url.port),
    key: decodeURIComponent(url.username),
  };
}

function readNumber(name: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined;
  if (!/^\d{1,9}$/.test(written)) throw new BadArguments(`--${name} takes a whole number, not "${written}"`);
  return Number(written);
}

function readFile(name: string): string {
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    throw new BadArguments(`--ca ${name} can't be read: ${(error as Error).message}`, { cause: error });
  }
}
