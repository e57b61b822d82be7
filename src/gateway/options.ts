// Options of a gateway, resolved once at the border: nothing left open, times in milliseconds. Which values are good is
// settled in `option-schema.ts`; where they came from is told by the caller.

import { homedir } from 'node:os';
import path from 'node:path';

import type { CookieMode, ProfileMode } from '../protocol/directives.js';
import type { DomainSet } from '../sessions/domains.js';
import type { BanRule, BanRules } from '../sessions/ban.js';
import type { DelaySettings, RetrySettings, RuleSettings } from '../sessions/settings.js';
import type { UpstreamConfig } from '../upstreams/upstream-url.js';
import { checkOptions } from './option-checks.js';
import { ConfigurationError, writePath } from './option-faults.js';
import type { OriginOf } from './option-faults.js';
import type { CheckedOptions } from './option-schema.js';
import type { GatewayOptions, InterceptMode, LogFormat, LogLevel } from './gateway-options.js';

/** Options as the gateway works with them: nothing left open, times in milliseconds, sizes in bytes. */
export interface ResolvedOptions {
  readonly host: string;
  readonly port: number;
  readonly tlsPort: number | undefined;
  /** Each once; none where the gateway is to make one for its life. */
  readonly apiKeys: readonly string[];
  /** Each good, no two of one name; `resolveUpstreams` takes them. At least one where there is no `upstreamsFile`. */
  readonly upstreams: readonly UpstreamConfig[];
  /** Name of a file, or an `http(s)://` URL, with more of them. */
  readonly upstreamsFile: string | undefined;
  readonly rules: RuleSettings;
  readonly retries: RetrySettings;
  readonly banRules: BanRules;
  readonly regionConflict: 'refuse' | 'ignore';
  readonly cookies: CookieMode;
  readonly profile: ProfileMode;
  readonly timeouts: { readonly connectMs: number; readonly responseMs: number };
  readonly limits: { readonly requestBytes: number; readonly responseBytes: number };
  readonly targets: {
    readonly allowPrivate: boolean;
    readonly allow: DomainSet;
    readonly deny: DomainSet;
    readonly insecure: DomainSet;
  };
  /** 0: no limit. */
  readonly maxConnections: number;
  readonly intercept: InterceptMode;
  /** Files; both or none. */
  readonly ca: { readonly cert: string | undefined; readonly key: string | undefined };
  /** `probe` is undefined where nothing is to be asked. */
  readonly health: { readonly probe: ResolvedProbe | undefined };
  readonly outgoingIps: { readonly echoUrl: string | undefined; readonly onChange: 'tell' | 'end' };
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

/** Requests that the gateway makes to know which upstreams work. */
export interface ResolvedProbe {
  readonly url: string;
  readonly intervalMs: number;
  readonly perMinute: number;
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
  const {
    apiKeys,
    delays,
    sessions,
    retries,
    bans,
    zyte,
    ca,
    health,
    outgoingIps,
    timeouts,
    dataDir,
    drainTimeout,
    log,
    ...asTheyAre
  } = checked;
  return {
    ...asTheyAre,
    apiKeys: [...new Set(apiKeys)],
    rules: {
      delays: resolveDelays(delays),
      sessions: {
        ttlMs: sessions.ttl,
        max: sessions.max,
        onBan: sessions.onBan,
        onUpstreamLoss: sessions.onUpstreamLoss,
        chosen: { lifeMs: zyte.ttl, idleMs: zyte.idleTtl },
      },
      bans: { cooldownMs: bans.cooldown },
    },
    retries: { defaultRetries: retries.default, headerMeans: retries.headerMeans },
    banRules: resolveBanRules(bans),
    regionConflict: sessions.regionConflict,
    health: { probe: resolveProbe(health.probe) },
    outgoingIps: { echoUrl: outgoingIps.echoUrl, onChange: outgoingIps.onChange },
    tlsPort: asTheyAre.tlsPort,
    upstreamsFile: asTheyAre.upstreamsFile,
    ca: { cert: ca.cert, key: ca.key },
    timeouts: { connectMs: timeouts.connect, responseMs: timeouts.response },
    dataDir: resolveDataDir(dataDir),
    drainTimeoutMs: drainTimeout,
    log: { level: log.level, format: log.format },
  };
}

function resolveProbe(probe: CheckedOptions['health']['probe']): ResolvedProbe | undefined {
  return probe && { url: probe.url, intervalMs: probe.interval, perMinute: probe.perMinute };
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

function resolveBanRules({ statuses, bodyPatterns, domains }: CheckedOptions['bans']): BanRules {
  const rule: BanRule = { statuses: new Set(statuses), bodyPatterns };
  const ofDomains = [...domains].map(
    ([domain, own]) =>
      [
        domain,
        {
          statuses: own.statuses === undefined ? rule.statuses : new Set(own.statuses),
          bodyPatterns: own.bodyPatterns ?? rule.bodyPatterns,
        },
      ] as const,
  );
  return { rule, domains: new Map(ofDomains) };
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
