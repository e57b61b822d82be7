// The one schema all configuration passes, wherever it came from: what each option may hold, its default, and what
// is told where a value is refused. Which options belong together is checked in `options.ts`.

import { isIP } from 'node:net';

import { z } from 'zod';

import { resolveUpstream } from '../upstreams/upstream-url.js';
import { showValue } from './option-faults.js';
import { readCount, readDomain, readDurationMs, readHostName, readSizeBytes } from './option-units.js';

const API_KEY = /^[0-9A-Za-z._~-]{8,128}$/;

const DURATION_WORDS = '250ms, 12s, 15m, 1h or a number of seconds, at most 24 days';

/** Options that the documents name and this version does not have, with `[]` for "any of the list". */
export const OPTIONS_OF_LATER_VERSIONS: ReadonlySet<string> = new Set([
  'tlsPort',
  'upstreamsFile',
  'upstreams[].weight',
  'upstreams[].insecure',
  'sessions.onUpstreamLoss',
  'sessions.onBan',
  'sessions.regionConflict',
  'retries',
  'bans.statuses',
  'bans.bodyPatterns',
  'cookies',
  'profile',
  'limits.responseBytes',
  'maxConnections',
  'intercept',
  'ca',
  'targets.allow',
  'targets.deny',
  'targets.insecure',
  'durability',
  'workers',
]);

const delay = option(readDurationMs, 'a duration', DURATION_WORDS);
const positiveDuration = option((value) => readDurationMs(value) || undefined, 'a duration above 0', DURATION_WORDS);
const positiveCount = option((value) => readCount(value) || undefined, 'a number above 0', 'a whole number, 1 or more');
const size = option(
  (value) => readSizeBytes(value) || undefined,
  'a size above 0',
  '64KB, 100MB (powers of 1024) or a number of bytes',
);
const flag = option((value) => (typeof value === 'boolean' ? value : undefined), 'a truth value', 'true or false');
const hostName = option(readHostName, 'a host name or address', 'the bare name or address, without scheme and port');
const text = option(
  (value) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined),
  'a text',
  'a text that is not empty',
);
const country = option(
  (value) => (typeof value === 'string' && /^[a-z]{2}$/i.test(value) ? value.toLowerCase() : undefined),
  'a country',
  'an ISO 3166 code of two letters, such as us',
);
const address = option(
  (value) => (typeof value === 'string' && isIP(value) !== 0 ? value : undefined),
  'an IP address',
  'an address such as 192.0.2.1 or 2001:db8::1',
);

const apiKey = z.unknown().transform((value, context) => {
  if (typeof value === 'string' && API_KEY.test(value)) return value;
  if (typeof value === 'number') {
    // As a number it may have lost zeros and digits, so it is not taken as the text that was written.
    context.addIssue({ code: 'custom', message: 'this is a number, and an API key is a text; put it in quotes' });
    return z.NEVER;
  }
  // Not shown: a key with one wrong character is a key all the same.
  context.addIssue({
    code: 'custom',
    message: 'this is not an API key; write 8 to 128 of the characters 0-9 A-Z a-z . _ ~ -',
  });
  return z.NEVER;
});

const upstreamUrl = z.unknown().transform((value, context) => {
  try {
    if (typeof value === 'string') {
      resolveUpstream(value);
      return value;
    }
    context.addIssue({
      code: 'custom',
      message: 'write the URL of the upstream, such as http://user:password@host:8000',
    });
  } catch (error) {
    // The message of `resolveUpstream` leaves credentials out.
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
  return z.NEVER;
});

const upstream = z.preprocess(
  (value) => (typeof value === 'string' ? { url: value } : value),
  z.strictObject({
    url: upstreamUrl,
    name: text.optional(),
    country: country.optional(),
    outgoingIp: address.optional(),
  }),
);

// Names and durations are read in one go, so that a bad one of either kind hides none of the other.
const delayDomains = z.record(z.string(), z.unknown()).transform((given, context): ReadonlyMap<string, number> => {
  const domains = new Map<string, number>();
  for (const [written, value] of Object.entries(given)) {
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message, path: [written] });
    const domain = readDomain(written);
    const delayMs = readDurationMs(value);
    if (domain === undefined) refuse(`${showValue(written)} is not a domain name; write example.com`);
    else if (domains.has(domain)) refuse(`the delay of ${domain} is given a second time; keep one`);
    if (delayMs === undefined) refuse(`${showValue(value)} is not a duration; write ${DURATION_WORDS}`);
    if (domain !== undefined) domains.set(domain, delayMs ?? 0);
  }
  return domains;
});

const delays = z.strictObject({
  default: delay.default(12_000),
  scope: oneOf('ip', 'ip+domain').default('ip'),
  domains: delayDomains.default(new Map()),
  softLimit: delay.default(120_000),
  maxHold: delay.default(900_000),
  hardLimit: delay.default(1_000_000),
  refusedRaise: flag.default(true),
});

/** Strict at every level; gives milliseconds, bytes and defaults. */
export const optionSchema = z.strictObject({
  host: hostName.default('127.0.0.1'),
  port: option(readPort, 'a port', 'a number from 0 to 65535, 0 for any that is free').default(8011),
  apiKeys: z.array(apiKey).default([]),
  upstreams: z.array(upstream).default([]),
  delays: delays.prefault({}),
  sessions: z
    .strictObject({ ttl: positiveDuration.default(1_800_000), max: positiveCount.default(5_000) })
    .prefault({}),
  bans: z.strictObject({ cooldown: delay.default(600_000) }).prefault({}),
  timeouts: z
    .strictObject({ connect: positiveDuration.default(10_000), response: positiveDuration.default(30_000) })
    .prefault({}),
  limits: z.strictObject({ requestBytes: size.default(100 * 1024 * 1024) }).prefault({}),
  targets: z.strictObject({ allowPrivate: flag.default(false) }).prefault({}),
  publicHosts: z.array(hostName).default([]),
  exposeOutgoingIp: flag.default(true),
  dataDir: text.default('~/.session-proxy'),
  store: option(readStore, 'available: this version keeps sessions in memory only', 'memory').default('memory'),
  drainTimeout: delay.default(8_000),
  log: z
    .strictObject({
      level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent').default('info'),
      format: oneOf('pretty', 'json').optional(),
    })
    .prefault({}),
});

/** What the schema makes of a configuration. */
export type CheckedOptions = z.output<typeof optionSchema>;

/** Lists the names an object of the configuration may have, at the top or at a path; none where that is no object. */
export function knownNamesAt(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(optionSchema.shape);
  if (path[0] === 'upstreams') return Object.keys(upstream.def.out.shape);
  const member: unknown = Reflect.get(optionSchema.shape, path[0] ?? '');
  const inner = member instanceof z.ZodPrefault ? member.def.innerType : undefined;
  return path.length === 1 && inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** Finds options of exactly this name at other places, as paths: for a name that was written at the wrong level. */
export function pathsOfName(name: string): readonly (readonly string[])[] {
  return Object.keys(optionSchema.shape)
    .filter((section) => section !== 'upstreams' && knownNamesAt([section]).includes(name))
    .map((section) => [section, name]);
}

/** An option read by a function of ours, so that all are refused in the same words. */
function option<T>(read: (value: unknown) => T | undefined, what: string, write: string) {
  return z.unknown().transform((value, context): T => {
    const found = read(value);
    if (found !== undefined) return found;
    context.addIssue({ code: 'custom', message: `${showValue(value)} is not ${what}; write ${write}` });
    return z.NEVER;
  });
}

function oneOf<const T extends string>(...words: readonly T[]) {
  const choices = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return option((value) => words.find((word) => word === value), 'one of the words for it', choices);
}

function readPort(value: unknown): number | undefined {
  const port = readCount(value);
  return port !== undefined && port <= 65_535 ? port : undefined;
}

function readStore(value: unknown): 'memory' | undefined {
  return value === 'memory' ? value : undefined;
}
