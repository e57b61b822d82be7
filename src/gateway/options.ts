// The options of a gateway as users write them, the same as in the configuration file, and what they resolve to.
// Which values are good is settled in `option-schema.ts`; where they came from is told by the caller.

import { homedir } from 'node:os';
import path from 'node:path';

import type { DelaySettings, RuleSettings } from '../sessions/settings.js';
import type { UpstreamConfig } from '../upstreams/upstream-url.js';
import { checkOptions } from './option-checks.js';
import { ConfigurationError, writePath } from './option-faults.js';
import type { OriginOf } from './option-faults.js';
import type { CheckedOptions } from './option-schema.js';

/** A duration: `250ms`, `12s`, `15m`, `1h`, or a number of seconds; at most 24 days. */
type Duration = string | number;

/** A size: `64KB`, `100MB`, `1GB` (powers of 1024), or a number of bytes. */
type Size = string | number;

/** How a gateway is set up: the shape of the configuration file. Only `upstreams` has no default. */
export interface GatewayOptions {
  /** Name or address to listen on. On any but a loopback one the API key crosses the network in clear. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** Port to listen on, 0 to 65535; 0 takes any that is free. @default 8011 */
  readonly port?: number | string | undefined;
  /** Keys that clients must give one of: 8 to 128 of `0-9 A-Z a-z . _ ~ -`. @default one made for this gateway's life */
  readonly apiKeys?: readonly string[] | undefined;
  /** The ways out, at least one: URLs, or objects with a URL. Nothing goes out direct unless one is `direct://`. */
  readonly upstreams?: readonly UpstreamConfig[] | undefined;
  readonly delays?: DelayOptions | undefined;
  readonly sessions?: SessionOptions | undefined;
  readonly bans?: BanOptions | undefined;
  readonly timeouts?: TimeoutOptions | undefined;
  readonly limits?: LimitOptions | undefined;
  readonly targets?: TargetOptions | undefined;
  /** Names under which clients reach a gateway that listens on loopback, besides `localhost`. @default [] */
  readonly publicHosts?: readonly string[] | undefined;
  /** Whether answers tell the outgoing IP they came through (`X-Crawlera-Slave`). @default true */
  readonly exposeOutgoingIp?: boolean | undefined;
  /** Directory of what outlives a run, the API key; `~/` is the home directory. @default '~/.session-proxy' */
  readonly dataDir?: string | undefined;
  /** Where sessions are kept. Memory: a restart loses them. @default 'memory' */
  readonly store?: 'memory' | undefined;
  /** How long running requests may go on once the gateway closes; 0 cuts them off at once. @default '8s' */
  readonly drainTimeout?: Duration | undefined;
  readonly log?: LogOptions | undefined;
}

/** How far apart the uses of one outgoing IP are kept, and what happens to those that come too fast. */
interface DelayOptions {
  /** Gap kept between the starts of two uses of one outgoing IP; 0 keeps none. @default '12s' */
  readonly default?: Duration | undefined;
  /** One clock for an outgoing IP as a whole, or one for each pair of it and a domain. @default 'ip' */
  readonly scope?: 'ip' | 'ip+domain' | undefined;
  /** Gaps of particular domains, in place of `default`; each covers its sub-domains, the longest name wins. @default {} */
  readonly domains?: Readonly<Record<string, Duration>> | undefined;
  /** From this wait on, answers tell it (`X-Crawlera-Next-Request-In`). Not above `hardLimit`. @default '120s' */
  readonly softLimit?: Duration | undefined;
  /** The longest a use is held; one that had to wait longer is refused. Not above `hardLimit`. @default '15m' */
  readonly maxHold?: Duration | undefined;
  /** The wait stops growing here, however many requests are refused. @default '1000s' */
  readonly hardLimit?: Duration | undefined;
  /** Whether a refused request makes the wait longer too. @default true */
  readonly refusedRaise?: boolean | undefined;
}

/** How long sessions live and how many there may be. */
interface SessionOptions {
  /** A session ends this long after its last use; above 0. @default '30m' */
  readonly ttl?: Duration | undefined;
  /** Sessions an API key may have at a time, 1 or more. @default 5000 */
  readonly max?: number | string | undefined;
}

/** What follows when a target refuses an outgoing IP. */
interface BanOptions {
  /** How long that IP is kept from that domain; 0 keeps it from nothing. @default '10m' */
  readonly cooldown?: Duration | undefined;
}

/** How long is waited for what others do. */
interface TimeoutOptions {
  /** For a connection to an upstream or target to stand; above 0. @default '10s' */
  readonly connect?: Duration | undefined;
  /** For the head of an answer, from the moment the request is out; above 0. @default '30s' */
  readonly response?: Duration | undefined;
}

/** How much may pass. */
interface LimitOptions {
  /** The longest body of a request, above 0; a longer one gets 413. @default '100MB' */
  readonly requestBytes?: Size | undefined;
}

/** Which targets may be asked. */
interface TargetOptions {
  /** Whether private, loopback and link-local addresses may; otherwise they get 523. @default false */
  readonly allowPrivate?: boolean | undefined;
}

/** What is logged, and how it is written. */
interface LogOptions {
  /** The least that is logged. @default 'info' */
  readonly level?: LogLevel | undefined;
  /** Lines for people or for programs. @default 'pretty' on a terminal, else 'json' */
  readonly format?: LogFormat | undefined;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFormat = 'pretty' | 'json';

/** Options as the gateway works with them: nothing left open, times in milliseconds, sizes in bytes. */
export interface ResolvedOptions {
  readonly host: string;
  readonly port: number;
  /** Each once; none where the gateway is to make one for its life. */
  readonly apiKeys: readonly string[];
  /** At least one, each good, no two of one name; `resolveUpstreams` takes them. */
  readonly upstreams: readonly UpstreamConfig[];
  readonly rules: RuleSettings;
  readonly timeouts: { readonly connectMs: number; readonly responseMs: number };
  readonly limits: { readonly requestBytes: number };
  readonly targets: { readonly allowPrivate: boolean };
  /** Lower case, without trailing dots. */
  readonly publicHosts: readonly string[];
  readonly exposeOutgoingIp: boolean;
  /** Absolute; undefined where it is in a home directory and this user has none: only the CLI keeps something there. */
  readonly dataDir: string | undefined;
  readonly store: 'memory';
  readonly drainTimeoutMs: number;
  /** `format` is undefined where it is to follow the output. */
  readonly log: { readonly level: LogLevel; readonly format: LogFormat | undefined };
}

/**
 * Checks options and fills in the defaults, once, at the border.
 *
 * @param originOf tells where a value came from, for the messages; by default they name its path alone
 * @throws ConfigurationError that lists every fault: unknown keys with the nearest known one, bad values, limits that
 *   contradict each other, no upstream
 */
export function resolveOptions(options: GatewayOptions, originOf?: OriginOf): ResolvedOptions {
  return resolveChecked(check(options, originOf));
}

/**
 * Makes sure that a value of any shape, such as a file holds, is a configuration that `resolveOptions` takes.
 *
 * @throws ConfigurationError as `resolveOptions` does
 */
export function assertGatewayOptions(value: unknown, originOf?: OriginOf): asserts value is GatewayOptions {
  check(value, originOf);
}

function check(value: unknown, originOf: OriginOf = () => undefined): CheckedOptions {
  const checked = checkOptions(value);
  if ('host' in checked) return checked;
  throw new ConfigurationError(
    checked.map(({ at, message }) => ({ path: writePath(at), message, origin: originOf(at) })),
  );
}

function resolveChecked(checked: CheckedOptions): ResolvedOptions {
  const { apiKeys, delays, sessions, bans, timeouts, dataDir, drainTimeout, log, ...asTheyAre } = checked;
  return {
    ...asTheyAre,
    apiKeys: [...new Set(apiKeys)],
    rules: {
      delays: resolveDelays(delays),
      sessions: { ttlMs: sessions.ttl, max: sessions.max },
      bans: { cooldownMs: bans.cooldown },
    },
    timeouts: { connectMs: timeouts.connect, responseMs: timeouts.response },
    dataDir: resolveDataDir(dataDir),
    drainTimeoutMs: drainTimeout,
    log: { level: log.level, format: log.format },
  };
}

function resolveDataDir(written: string): string | undefined {
  if (!/^~(?=$|[/\\])/.test(written)) return path.resolve(written);
  const home = findHome();
  return home === undefined ? undefined : path.resolve(home + written.slice(1));
}

function findHome(): string | undefined {
  try {
    // An empty HOME is none; `~/x` would be `/x`.
    return homedir() || undefined;
  } catch {
    // It throws for a user ID that has neither HOME nor a line in passwd, as containers have; whoever needs it says so.
    return undefined;
  }
}

function resolveDelays(delays: CheckedOptions['delays']): DelaySettings {
  return {
    defaultMs: delays.default,
    scope: delays.scope,
    domains: delays.domains,
    softLimitMs: delays.softLimit,
    maxHoldMs: delays.maxHold,
    hardLimitMs: delays.hardLimit,
    refusedRaise: delays.refusedRaise,
  };
}
