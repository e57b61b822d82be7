import type { LookupAddress, LookupOptions } from 'node:dns';
import { describe, expect, test } from 'vitest';

import { GatewayError } from '../../src/sessions/errors.js';
import { createTargetPolicy } from '../../src/upstreams/target-policy.js';
import type { TargetPolicy, TargetPolicyOptions } from '../../src/upstreams/target-policy.js';
import { lookupOf } from './open-upstream.js';

const PUBLIC = ['93.184.216.34', '8.8.8.8', '2606:2800:220:1::1', '2001:4860:4860::8888'];

const PRIVATE = [
  '127.0.0.1',
  '127.255.255.254',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '100.127.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'fc00::1',
  'fd12:3456::1',
  'ff02::1',
  '100::1',
  '2001:db8::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '3fff::1',
  '4000::1',
  '::7f00:1',
  '::808:808',
  '::ffff:0:808:808',
  '64:ff9b:1::808:808',
];

/** IPv6 addresses with an IPv4 address inside: refused as literals, judged by what is inside when looked up. */
const CARRYING = [
  ['::ffff:8.8.8.8', true],
  ['::ffff:808:808', true],
  ['::ffff:127.0.0.1', false],
  ['::ffff:a00:1', false],
  ['64:ff9b::808:808', true],
  ['64:ff9b::7f00:1', false],
  ['64:ff9b::a9fe:a9fe', false],
  ['2002:808:808::1', true],
  ['2002:7f00:1::1', false],
  ['2002:a00:1::', false],
] as const;

function createPolicy(options: Partial<TargetPolicyOptions> = {}): TargetPolicy {
  return createTargetPolicy({ allowPrivate: false, isOwnAddress: () => false, ...options });
}

function resolve(policy: TargetPolicy, host: string, options: LookupOptions = { all: true }) {
  return new Promise<string | LookupAddress[]>((done, fail) => {
    policy.lookup(80)(host, options, (error, found) => (error === null ? done(found) : fail(error)));
  });
}

describe('a literal target', () => {
  for (const host of PUBLIC) {
    test(`${host} may be contacted`, () => expect(createPolicy().refusal(host, 80)).toBe(undefined));
  }
  for (const host of [...PRIVATE, ...CARRYING.map(([address]) => address)]) {
    test(`${host} is refused, unless private targets are allowed`, () => {
      expect(createPolicy().refusal(host, 80)).toMatch(/ address; .*--allow-private/);
      expect(createPolicy({ allowPrivate: true }).refusal(host, 80)).toBe(undefined);
    });
  }
  for (const host of ['0x7f.1', '2130706433', '0', '127.1', '0177.0.0.1', '127.0.0.1.', '[::1]', '[::ffff:7f00:1]']) {
    test(`spelled ${host} is refused as well`, () => expect(createPolicy().refusal(host, 80)).toContain('address'));
  }
  test('that is no host is refused', () => {
    for (const host of ['', 'a b', 'a/b', 'u@h', 'h:80', '[', '::zz'])
      expect(createPolicy().refusal(host, 80)).toContain('not a valid host');
  });
});

describe('a name', () => {
  for (const host of ['example.com', 'localhost.example.com', 'notlocalhost', 'localhost-1.test']) {
    test(`${host} passes until it is looked up`, () => expect(createPolicy().refusal(host, 80)).toBe(undefined));
  }
  for (const host of ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'a.b.LocalHost.']) {
    test(`${host} is loopback`, () => {
      expect(createPolicy().refusal(host, 80)).toContain('a loopback address');
      expect(createPolicy({ allowPrivate: true }).refusal(host, 80)).toBe(undefined);
    });
  }
});

describe('a looked-up address', () => {
  for (const address of PUBLIC) {
    test(`${address} may be contacted`, async () => {
      const found = await resolve(createPolicy({ dnsLookup: lookupOf({ 'a.test': [address] }) }), 'a.test');
      expect(found).toMatchObject([{ address }]);
    });
  }
  for (const address of PRIVATE) {
    test(`${address} is refused, unless private targets are allowed`, async () => {
      const dnsLookup = lookupOf({ 'a.test': [address] });
      const attempt = resolve(createPolicy({ dnsLookup }), 'a.test');
      await expect(attempt).rejects.toMatchObject({ name: 'GatewayError', code: 'domain_forbidden' });
      expect(await resolve(createPolicy({ dnsLookup, allowPrivate: true }), 'a.test')).toHaveLength(1);
    });
  }
  for (const [address, isPublic] of CARRYING) {
    test(`${address} is ${isPublic ? 'fine' : 'refused'} for the IPv4 address in it`, async () => {
      const attempt = resolve(createPolicy({ dnsLookup: lookupOf({ 'a.test': [address] }) }), 'a.test');
      if (isPublic) expect(await attempt).toHaveLength(1);
      else await expect(attempt).rejects.toMatchObject({ code: 'domain_forbidden' });
    });
  }

  const mixed = createPolicy({ dnsLookup: lookupOf({ 'mixed.test': ['10.0.0.1', '8.8.8.8', '::1', '2606::1'] }) });

  test('that is private is left out where others are public', async () => {
    const found = await resolve(mixed, 'mixed.test');
    expect(found).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606::1', family: 6 },
    ]);
  });

  test('is one where one is asked for: the first allowed', async () => {
    expect(await resolve(mixed, 'mixed.test', {})).toBe('8.8.8.8');
    expect(await resolve(mixed, 'mixed.test', { family: 6 })).toBe('2606::1');
  });

  test('that is refused is not told to the client', async () => {
    const policy = createPolicy({ dnsLookup: lookupOf({ 'a.test': ['10.1.2.3'] }) });
    await expect(resolve(policy, 'a.test')).rejects.toThrow(/^a\.test resolves to a private address; /);
  });

  test('that is missing keeps its error', async () => {
    await expect(resolve(createPolicy({ dnsLookup: lookupOf({}) }), 'a.test')).rejects.toMatchObject({
      code: 'ENOTFOUND',
    });
    const nothing = createPolicy({ dnsLookup: (_, __, callback) => callback(null, []) });
    await expect(resolve(nothing, 'a.test')).rejects.toBeInstanceOf(GatewayError);
  });

  test('comes from the system where no lookup is given', async () => {
    const found = await resolve(createPolicy({ allowPrivate: true }), '127.0.0.1');
    expect(found).toEqual([{ address: '127.0.0.1', family: 4 }]);
  });
});

describe('the gateway itself', () => {
  const own = (ip: string, port: number) => port === 8011 && (ip === '127.0.0.1' || ip === '::1' || ip === '8.8.8.8');

  for (const host of [
    '127.0.0.1',
    '8.8.8.8',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
    '127.1',
    '0x7f000001',
    'localhost',
    'a.localhost.',
    '0.0.0.0',
    '0',
    '::',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
    '::ffff:0.0.0.0',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
  ]) {
    test(`is refused as ${host} on its port, private targets allowed or not`, () => {
      for (const allowPrivate of [true, false]) {
        const policy = createPolicy({ allowPrivate, isOwnAddress: own });
        expect(policy.refusal(host, 8011)).toContain('this gateway itself');
        expect(policy.refusal(host, 8012) ?? '').not.toContain('this gateway itself');
      }
    });
  }

  test('is refused by every looked-up address', async () => {
    const dnsLookup = lookupOf({ 'own.test': ['127.0.0.1', '::1', '0.0.0.0', '::ffff:127.0.0.1'] });
    const isOwnAddress = (ip: string) => own(ip, 8011);
    const attempt = resolve(createPolicy({ allowPrivate: true, isOwnAddress, dnsLookup }), 'own.test');
    await expect(attempt).rejects.toMatchObject({ code: 'domain_forbidden', message: /this gateway itself/ });
  });
});
