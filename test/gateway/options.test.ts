import { homedir } from 'node:os';
import path from 'node:path';

import { expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';

import type { optionSchema } from '../../src/gateway/option-schema.js';
import { resolveOptions } from '../../src/gateway/options.js';
import type { GatewayOptions } from '../../src/gateway/gateway-options.js';

/** Options of which none was left out. */
type AllGiven<T> = { [Name in keyof T]-?: NonNullable<T[Name]> };

const KEY = '0123456789abcdef';
const WITH_UPSTREAM = { upstreams: ['direct://'] };

test('everything has a default but the upstreams', () => {
  expect(resolveOptions(WITH_UPSTREAM)).toEqual({
    host: '127.0.0.1',
    port: 8011,
    tlsPort: undefined,
    apiKeys: [],
    upstreams: [{ url: 'direct://' }],
    upstreamsFile: undefined,
    rules: {
      delays: {
        defaultMs: 12_000,
        scope: 'ip',
        domains: new Map(),
        softLimitMs: 120_000,
        maxHoldMs: 900_000,
        hardLimitMs: 1_000_000,
        refusedRaise: true,
      },
      sessions: {
        ttlMs: 1_800_000,
        max: 5_000,
        onBan: 'sticky',
        onUpstreamLoss: 'fail',
        chosen: { lifeMs: 900_000, idleMs: 120_000 },
      },
      bans: { cooldownMs: 600_000 },
    },
    timeouts: { connectMs: 10_000, responseMs: 30_000 },
    retries: { defaultRetries: 5, headerMeans: 'retries' },
    banRules: { rule: { statuses: new Set([403, 429, 503]), bodyPatterns: [] }, domains: new Map() },
    regionConflict: 'refuse',
    cookies: 'disable',
    profile: 'pass',
    limits: { requestBytes: 104_857_600, responseBytes: 524_288_000 },
    targets: { allowPrivate: false, allow: new Set(['*']), deny: new Set(), insecure: new Set() },
    maxConnections: 0,
    intercept: 'auto',
    ca: { cert: undefined, key: undefined },
    health: { probe: undefined },
    outgoingIps: { echoUrl: undefined, onChange: 'tell' },
    publicHosts: [],
    exposeOutgoingIp: true,
    dataDir: path.join(homedir(), '.session-proxy'),
    store: 'memory',
    drainTimeoutMs: 8_000,
    log: { level: 'info', format: undefined },
  });
});

test('domains are brought into the form in which hosts are looked up', () => {
  const { rules } = resolveOptions({ ...WITH_UPSTREAM, delays: { domains: { '*.Shop.Example.': '1s', a: 0 } } });
  expect([...rules.delays.domains]).toEqual([
    ['shop.example', 1_000],
    ['a', 0],
  ]);
});

test('a domain may have a ban rule of its own, whose missing part is that of all', () => {
  const bans = {
    statuses: ['403', 418],
    bodyPatterns: ['access denied'],
    domains: { '*.shop.example': { bodyPatterns: ['captcha'] }, 'old.example': { statuses: [] } },
  };
  const patterns = [/access denied/i];
  expect(resolveOptions({ ...WITH_UPSTREAM, bans }).banRules).toEqual({
    rule: { statuses: new Set([403, 418]), bodyPatterns: patterns },
    domains: new Map([
      ['shop.example', { statuses: new Set([403, 418]), bodyPatterns: [/captcha/i] }],
      ['old.example', { statuses: new Set(), bodyPatterns: patterns }],
    ]),
  });
});

test('lists of domains hold each with its sub-domains, or all by a star', () => {
  const targets = { allow: ['*.Shop.Example'], deny: ['*'], insecure: ['127.0.0.1'] };
  expect(resolveOptions({ ...WITH_UPSTREAM, targets }).targets).toMatchObject({
    allow: new Set(['shop.example']),
    deny: new Set(['*']),
    insecure: new Set(['127.0.0.1']),
  });
});

for (const [name, options, message] of [
  ['a status no answer has', { bans: { statuses: [99] } }, 'bans.statuses[0]: 99 is not a status of an answer'],
  [
    'a pattern that is none',
    { bans: { bodyPatterns: ['('] } },
    'bans.bodyPatterns[0]: "(" is not a regular expression',
  ],
  [
    'a rule with an unknown key',
    { bans: { domains: { 'a.example': { status: [403] } } } },
    'bans.domains.a.example.status: no option has this name; the nearest is bans.domains.a.example.statuses',
  ],
  [
    'half of a certificate authority',
    { ca: { cert: 'ca.crt' } },
    'ca.key: a certificate authority is a certificate and its key',
  ],
  [
    'a mode of interception that is none',
    { intercept: 'yes' },
    'intercept: "yes" is not one of the words for it; write auto, always or never',
  ],
] as const) {
  test(`${name} is refused`, () => {
    const resolve = (): unknown => resolveOptions({ ...WITH_UPSTREAM, ...(options as object) });
    expect(resolve).toThrow(message);
  });
}

test('an API key given twice counts once', () => {
  expect(resolveOptions({ ...WITH_UPSTREAM, apiKeys: [KEY, 'another-key', KEY] }).apiKeys).toEqual([
    KEY,
    'another-key',
  ]);
});

test('an upstream may be a URL or an object', () => {
  const { upstreams } = resolveOptions({
    upstreams: ['local://127.0.0.2', { url: 'direct://', name: 'home', country: 'US', outgoingIp: '192.0.2.1' }],
  });
  expect(upstreams).toEqual([
    { url: 'local://127.0.0.2' },
    { url: 'direct://', name: 'home', country: 'us', outgoingIp: '192.0.2.1' },
  ]);
});

test('numbers may be written as text, as flags and environment variables give them', () => {
  const resolved = resolveOptions({ ...WITH_UPSTREAM, port: '0', sessions: { max: '7', ttl: '90' } });
  expect(resolved).toMatchObject({ port: 0, rules: { sessions: { max: 7, ttlMs: 90_000 } } });
});

test('the practical variant of the documents is taken', () => {
  const delays = { default: '1s', scope: 'ip+domain', maxHold: '120s', refusedRaise: false } as const;
  const { rules } = resolveOptions({ ...WITH_UPSTREAM, delays });
  expect(rules.delays).toMatchObject({
    defaultMs: 1_000,
    scope: 'ip+domain',
    maxHoldMs: 120_000,
    refusedRaise: false,
  });
});

test('members that are undefined count as absent', () => {
  const options = { ...WITH_UPSTREAM, host: undefined, delays: undefined, log: { level: undefined } };
  expect(resolveOptions(options)).toEqual(resolveOptions(WITH_UPSTREAM));
});

for (const [written, resolved] of [
  ['~/proxy', path.join(homedir(), 'proxy')],
  ['~', homedir()],
  ['data', path.resolve('data')],
  ['/var/lib/proxy', '/var/lib/proxy'],
  ['~other/data', path.resolve('~other/data')],
] as const) {
  test(`the data directory ${written} is made absolute`, () => {
    expect(resolveOptions({ ...WITH_UPSTREAM, dataDir: written }).dataDir).toBe(resolved);
  });
}

test('the type of the options has the keys that the schema takes', () => {
  type Taken = AllGiven<z.input<typeof optionSchema>>;
  type Given = AllGiven<GatewayOptions>;
  expectTypeOf<keyof Given>().toEqualTypeOf<keyof Taken>();
  expectTypeOf<keyof Given['delays']>().toEqualTypeOf<keyof Taken['delays']>();
  expectTypeOf<keyof Given['sessions']>().toEqualTypeOf<keyof Taken['sessions']>();
  expectTypeOf<keyof Given['bans']>().toEqualTypeOf<keyof Taken['bans']>();
  expectTypeOf<keyof Given['timeouts']>().toEqualTypeOf<keyof Taken['timeouts']>();
  expectTypeOf<keyof Given['limits']>().toEqualTypeOf<keyof Taken['limits']>();
  expectTypeOf<keyof Given['targets']>().toEqualTypeOf<keyof Taken['targets']>();
  expectTypeOf<keyof Given['retries']>().toEqualTypeOf<keyof Taken['retries']>();
  expectTypeOf<keyof Given['ca']>().toEqualTypeOf<keyof Taken['ca']>();
  expectTypeOf<keyof Given['zyte']>().toEqualTypeOf<keyof Taken['zyte']>();
  expectTypeOf<keyof Given['log']>().toEqualTypeOf<keyof Taken['log']>();
});
