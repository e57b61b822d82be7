// The one schema all configuration passes, wherever it came from: what each option may hold, its default, and what
// is told where a value is refused. Which options belong together is checked in `options.ts`.

import * as z from 'zod';

import { UPSTREAM_LOSS_POLICIES } from '../sessions/loss.js';
import { isListLocation } from '../upstreams/upstream-source.js';
import { checkUpstreamUrl } from '../upstreams/upstream-url.js';
import { VENDOR_NAMES } from '../upstreams/vendors.js';
import {
  address,
  banStatus,
  bodyPattern,
  byDomain,
  count,
  country,
  delay,
  domain,
  flag,
  hostName,
  oneOf,
  option,
  port,
  positiveCount,
  positiveDuration,
  size,
  text,
  webUrl,
  weight,
} from './option-values.js';

const API_KEY = /^[0-9A-Za-z._~-]{8,128}$/;

/** Options that the documents name and this version does not have, with `[]` for "any of the list". */
export const OPTIONS_OF_LATER_VERSIONS: ReadonlySet<string> = new Set(['durability', 'workers']);

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
      checkUpstreamUrl(value);
      return value;
    }
    context.addIssue({
      code: 'custom',
      message: 'write the URL of the upstream, such as http://user:password@host:8000',
    });
  } catch (error) {
    // The message of `checkUpstreamUrl` leaves credentials out.
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
  return z.NEVER;
});

const label = option(
  (value) => (typeof value === 'string' && /^.{1,50}$/.test(value.trim()) ? value.trim().toLowerCase() : undefined),
  'a place',
  'its name, 1 to 50 characters',
);

const sticky = z.strictObject({
  charset: text.optional(),
  length: positiveCount.optional(),
  minutes: positiveCount.optional(),
  countsFrom: oneOf('use', 'creation').optional(),
});

const upstream = z.preprocess(
  (value) => (typeof value === 'string' ? { url: value } : value),
  z.strictObject({
    url: upstreamUrl,
    name: text.optional(),
    country: country.optional(),
    state: label.optional(),
    city: label.optional(),
    outgoingIp: address.optional(),
    insecure: flag.optional(),
    weight: weight.optional(),
    vendor: oneOf(...VENDOR_NAMES).optional(),
    sticky: sticky.optional(),
  }),
);

const listLocation = z.unknown().transform((value, context) => {
  if (typeof value === 'string' && value.trim() !== '' && isListLocation(value.trim())) return value.trim();
  // Not shown: the URL of a list may have a password in it.
  context.addIssue({
    code: 'custom',
    message: 'this is no place of a list; write the name of a file, or an http:// or https:// URL',
  });
  return z.NEVER;
});

const domains = z.array(domain).transform((names): ReadonlySet<string> => new Set(names));

const banRule = {
  statuses: z.array(banStatus).default([403, 429, 503]),
  bodyPatterns: z.array(bodyPattern).default([]),
};

const banDomains = byDomain(
  'the ban rule',
  z.strictObject({ statuses: z.array(banStatus).optional(), bodyPatterns: z.array(bodyPattern).optional() }),
);

const delays = z.strictObject({
  default: delay.default(12_000),
  scope: oneOf('ip', 'ip+domain').default('ip'),
  domains: byDomain('the delay', delay).default(new Map()),
  softLimit: delay.default(120_000),
  maxHold: delay.default(900_000),
  hardLimit: delay.default(1_000_000),
  refusedRaise: flag.default(true),
});

const probe = z.strictObject({
  url: webUrl,
  interval: positiveDuration.default(300_000),
  perMinute: positiveCount.default(30),
});

/** Strict at every level; gives milliseconds, bytes and defaults. */
export const optionSchema = z.strictObject({
  host: hostName.default('127.0.0.1'),
  port: port.default(8011),
  tlsPort: port.optional(),
  apiKeys: z.array(apiKey).default([]),
  upstreams: z.array(upstream).default([]),
  upstreamsFile: listLocation.optional(),
  delays: delays.prefault({}),
  sessions: z
    .strictObject({
      ttl: positiveDuration.default(1_800_000),
      max: positiveCount.default(5_000),
      onBan: oneOf('sticky', 'drop').default('sticky'),
      onUpstreamLoss: oneOf(...UPSTREAM_LOSS_POLICIES).default('fail'),
      regionConflict: oneOf('refuse', 'ignore').default('refuse'),
    })
    .prefault({}),
  retries: z
    .strictObject({ default: count.default(5), headerMeans: oneOf('retries', 'attempts').default('retries') })
    .prefault({}),
  bans: z
    .strictObject({ ...banRule, cooldown: delay.default(600_000), domains: banDomains.default(new Map()) })
    .prefault({}),
  cookies: oneOf('disable', 'enable', 'discard').default('disable'),
  profile: oneOf('pass', 'desktop', 'mobile').default('pass'),
  timeouts: z
    .strictObject({ connect: positiveDuration.default(10_000), response: positiveDuration.default(30_000) })
    .prefault({}),
  limits: z
    .strictObject({ requestBytes: size.default(100 * 1024 ** 2), responseBytes: size.default(500 * 1024 ** 2) })
    .prefault({}),
  targets: z
    .strictObject({
      allowPrivate: flag.default(false),
      allow: domains.default(new Set(['*'])),
      deny: domains.default(new Set()),
      insecure: domains.default(new Set()),
    })
    .prefault({}),
  maxConnections: count.default(0),
  intercept: oneOf('auto', 'always', 'never').default('auto'),
  ca: z.strictObject({ cert: text.optional(), key: text.optional() }).prefault({}),
  zyte: z
    .strictObject({ ttl: positiveDuration.default(900_000), idleTtl: positiveDuration.default(120_000) })
    .prefault({}),
  health: z.strictObject({ probe: probe.optional() }).prefault({}),
  outgoingIps: z
    .strictObject({ echoUrl: webUrl.optional(), onChange: oneOf('tell', 'end').default('tell') })
    .prefault({}),
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
  if (path[0] === 'upstreams' && path[2] === 'sticky') return Object.keys(sticky.shape);
  if (path[0] === 'upstreams') return Object.keys(upstream.def.out.shape);
  if (path[0] === 'health' && path[1] === 'probe') return Object.keys(probe.shape);
  if (path[0] === 'bans' && path[1] === 'domains' && path.length === 3) return Object.keys(banRule);
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

function readStore(value: unknown): 'memory' | undefined {
  return value === 'memory' ? value : undefined;
}
