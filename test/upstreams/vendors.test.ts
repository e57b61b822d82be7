import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import type { ToldOutgoingIp } from '../../src/upstreams/upstream-parts.js';
import { resolveUpstream } from '../../src/upstreams/upstream-url.js';
import type { UpstreamConfigObject } from '../../src/upstreams/upstream-url.js';
import { VENDOR_NAMES } from '../../src/upstreams/vendors.js';
import type { VendorName } from '../../src/upstreams/vendors.js';
import { createFakeVendor } from '../support/fake-vendor.js';
import type { FakeVendorOptions } from '../support/fake-vendor.js';
import { createHttpTarget } from '../support/target-http.js';
import { createRawTarget } from '../support/target-raw.js';
import { closeLater, dial, openUpstream, send } from './open-upstream.js';

const MINUTE = 60_000;

interface Row {
  /** As the vendor's page shows it. */
  readonly userinfo: string;
  /** What the vendor takes, and how it keeps a session. */
  readonly takes: FakeVendorOptions;
  /** What is sent with and without a country, `*` standing for the session. */
  readonly sent: readonly [withCountry: string, without: string];
  readonly keptMs: number;
  readonly countsFrom: 'use' | 'creation';
}

const ROWS: Readonly<Record<VendorName, Row>> = {
  brightdata: {
    userinfo: 'brd-customer-hl_1-zone-res:pass',
    takes: {
      credentials: /^brd-customer-hl_1-zone-res(?:-country-[a-z]{2})?-session-(?<session>[0-9a-zA-Z]+):pass$/,
      minutes: 1,
      countsFrom: 'use',
      tellsIn: 'x-brd-ip',
    },
    sent: ['brd-customer-hl_1-zone-res-country-de-session-*:pass', 'brd-customer-hl_1-zone-res-session-*:pass'],
    keptMs: MINUTE,
    countsFrom: 'use',
  },
  oxylabs: {
    userinfo: 'customer-some_one:pass',
    takes: {
      credentials:
        /^customer-some_one(?:-cc-[A-Z]{2})?-sessid-(?<session>[0-9a-zA-Z]+)-sesstime-(?<minutes>[1-9]\d{0,3}):pass$/,
      countsFrom: 'creation',
      idleMs: MINUTE,
    },
    sent: ['customer-some_one-cc-DE-sessid-*-sesstime-30:pass', 'customer-some_one-sessid-*-sesstime-30:pass'],
    keptMs: MINUTE,
    countsFrom: 'creation',
  },
  decodo: {
    userinfo: 'spuser:pass',
    takes: {
      credentials:
        /^user-spuser(?:-country-[a-z]{2})?-session-(?<session>[0-9a-zA-Z]+)-sessionduration-(?<minutes>\d+):pass$/,
      countsFrom: 'creation',
    },
    sent: ['user-spuser-country-de-session-*-sessionduration-30:pass', 'user-spuser-session-*-sessionduration-30:pass'],
    keptMs: 30 * MINUTE,
    countsFrom: 'creation',
  },
  iproyal: {
    userinfo: 'someone:pass',
    takes: {
      credentials: /^someone:pass(?:_country-[a-z]{2})?_session-(?<session>[0-9a-zA-Z]{8})_lifetime-(?<minutes>\d+)m$/,
      countsFrom: 'creation',
    },
    sent: ['someone:pass_country-de_session-*_lifetime-30m', 'someone:pass_session-*_lifetime-30m'],
    keptMs: 30 * MINUTE,
    countsFrom: 'creation',
  },
  apify: {
    userinfo: 'groups-RESIDENTIAL:pass',
    takes: {
      credentials: /^groups-RESIDENTIAL(?:,country-[A-Z]{2})?,session-(?<session>[0-9A-Za-z._~]{1,50}):pass$/,
      minutes: 1,
      countsFrom: 'use',
    },
    sent: ['groups-RESIDENTIAL,country-DE,session-*:pass', 'groups-RESIDENTIAL,session-*:pass'],
    keptMs: MINUTE,
    countsFrom: 'use',
  },
};

/** A vendor, the upstream that goes through it, and what was told of outgoing IPs. */
async function openVendor(vendor: VendorName, over: Partial<UpstreamConfigObject> = {}) {
  const { userinfo, takes } = ROWS[vendor];
  const fake = closeLater(await createFakeVendor(takes));
  const told: ToldOutgoingIp[] = [];
  const given = { url: `http://${userinfo}@127.0.0.1:${fake.port}`, vendor, ...over };
  const upstream = openUpstream(given, { onOutgoingIp: (one) => told.push(one) });
  const { exits } = upstream;
  if (exits === undefined) throw new Error('expected exits');
  const through = (seed: string) => exits.through(exits.draw(seed).exit);
  return { fake, upstream, exits, through, told, target: closeLater(await createHttpTarget()) };
}

for (const vendor of VENDOR_NAMES) {
  describe(vendor, () => {
    test('takes its sessions as they are sent, each with an outgoing IP of its own', async () => {
      const { fake, through, exits, target } = await openVendor(vendor);
      for (const seed of ['1', '2', '1']) await text(await send(through(seed), target));
      const [one, two, again] = target.seen.map(({ remoteAddress }) => remoteAddress);
      expect([one, two]).toEqual(['127.0.0.2', '127.0.0.3']);
      expect(again).toBe(one);
      expect(fake.credentials[0]).toBe(ROWS[vendor].sent[1].replace('*', exits.draw('1').exit));
    });

    test('is asked for the country of the upstream', async () => {
      const { fake, through, exits, target } = await openVendor(vendor, { country: 'de' });
      await text(await send(through('1'), target));
      expect(fake.credentials).toEqual([ROWS[vendor].sent[0].replace('*', exits.draw('1').exit)]);
    });

    test('takes them on tunnels, too', async () => {
      const { through } = await openVendor(vendor);
      const target = closeLater(await createRawTarget());
      await dial(through('1'), target);
      expect(target.connections[0]?.socket.remoteAddress).toBe('127.0.0.2');
    });

    test('keeps a session as long as it is said to', async () => {
      const { fake, upstream, through, target } = await openVendor(vendor);
      const { keptMs, countsFrom } = ROWS[vendor];
      for (const passMs of [0, keptMs - 1, 1, keptMs - 1]) {
        fake.clock.advance(passMs);
        await text(await send(through('1'), target));
      }
      const [first, second, third] = target.seen.map(({ remoteAddress }) => remoteAddress);
      expect(second).toBe(first);
      const { stickyMs = 0, stickyIdleMs = Infinity } = upstream;
      expect(upstream.countsFrom).toBe(countsFrom);
      expect(Math.min(stickyMs, stickyIdleMs)).toBe(keptMs);
      // The second use renews it where the time counts from the last one.
      expect(third === first).toBe(countsFrom === 'use' || stickyIdleMs === keptMs);
    });
  });
}

describe('the outgoing IP that a vendor tells', () => {
  test('is heard on answers and on CONNECT', async () => {
    const { upstream, through, exits, told, target } = await openVendor('brightdata');
    expect(upstream.tellsOutgoingIp).toBe('x-brd-ip');
    await text(await send(through('1'), target));
    await dial(through('2'), closeLater(await createRawTarget()));
    expect(told).toEqual([
      { upstreamId: upstream.id, exit: exits.draw('1').exit, ip: '127.0.0.2' },
      { upstreamId: upstream.id, exit: exits.draw('2').exit, ip: '127.0.0.3' },
    ]);
  });

  test('is not heard from a vendor of whom it is not known', async () => {
    const { told, through, target, upstream } = await openVendor('decodo');
    await text(await send(through('1'), target));
    expect(upstream.tellsOutgoingIp).toBeUndefined();
    expect(told).toEqual([]);
  });

  for (const value of ['r2d29b70ff204425f8e5add587d860361', '192.0.2.1\r\nx-brd-ip: 127.0.0.2', '']) {
    test(`is not heard where it is no one address: ${JSON.stringify(value)}`, async () => {
      const answer = `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-brd-ip: ${value}\r\n\r\n`;
      const proxy = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => socket.end(answer))));
      const told: ToldOutgoingIp[] = [];
      const url = `http://brd-customer-1-zone-a:pass@127.0.0.1:${proxy.port}`;
      const upstream = openUpstream({ url, vendor: 'brightdata' }, { onOutgoingIp: (one) => told.push(one) });
      await text(await send(upstream, { host: 'example.test', port: 80 }));
      expect(told).toEqual([]);
    });
  }
});

describe('a vendor', () => {
  const base = 'http://someone:secret@gate.test:7000';

  for (const [what, given, credentials, minutes] of [
    [
      'is told the minutes',
      { url: base, vendor: 'decodo', sticky: { minutes: 60 } },
      ['user-someone-session-{session}-sessionduration-60', 'secret'],
      60,
    ],
    [
      'has its prefix put in front once',
      { url: 'http://user-a:b@gate.test', vendor: 'decodo' },
      ['user-a-session-{session}-sessionduration-30', 'b'],
      30,
    ],
    [
      'keeps a country that the user names',
      { url: 'http://customer-a-cc-us:b@gate.test', country: 'de', vendor: 'oxylabs' },
      ['customer-a-cc-us-sessid-{session}-sesstime-30', 'b'],
      30,
    ],
    [
      'of the user auto has it replaced',
      { url: 'http://auto:b@gate.test', vendor: 'apify' },
      ['session-{session}', 'b'],
      1_560,
    ],
    [
      'of the user auto in a country',
      { url: 'http://auto:b@gate.test', country: 'us', vendor: 'apify' },
      ['country-US,session-{session}', 'b'],
      1_560,
    ],
    [
      'keeps datacenter sessions longer',
      { url: 'http://groups-SHADER:b@gate.test', vendor: 'apify' },
      ['groups-SHADER,session-{session}', 'b'],
      1_560,
    ],
    [
      'has what is percent-encoded left so',
      { url: 'http://a%40b:c%7Bd%7D@gate.test', vendor: 'iproyal' },
      ['a%40b', 'c%7Bd%7D_session-{session}_lifetime-30m'],
      30,
    ],
  ] as const) {
    test(what, () => {
      const spec = resolveUpstream(given);
      const [user, password] = credentials;
      const read = 'credentials' in spec && spec.credentials;
      expect(read && { user: decodeURIComponent(read.user), password: read.password }).toEqual({
        user: decodeURIComponent(user),
        password,
      });
      expect(spec).toMatchObject({ sticky: { stickyMs: minutes * MINUTE } });
    });
  }

  for (const [what, given, message] of [
    [
      'that there is not',
      { url: base, vendor: 'other' as VendorName },
      /^gate\.test:7000: no vendor is known by this name; write brightdata, oxylabs/,
    ],
    [
      'without credentials',
      { url: 'http://gate.test', vendor: 'decodo' },
      /has no user and password; write them as the vendor/,
    ],
    ['over SOCKS4', { url: 'socks4://someone@gate.test', vendor: 'decodo' }, /no vendor names sessions over SOCKS4/],
    [
      'whose session is named',
      { url: 'http://user-a-session-b:secret@gate.test', vendor: 'decodo' },
      /names a session of the vendor already/,
    ],
    [
      'whose first parameter is a session',
      { url: 'http://session-b:secret@gate.test', vendor: 'apify' },
      /names a session of the vendor already/,
    ],
    [
      'whose time is named',
      { url: 'http://user:secret_lifetime-5m@gate.test', vendor: 'iproyal' },
      /names a session of the vendor already/,
    ],
    [
      'and a charset',
      { url: base, vendor: 'decodo', sticky: { charset: '0-9' } },
      /sticky\.charset is known of this vendor/,
    ],
    [
      'and too many minutes',
      { url: base, vendor: 'decodo', sticky: { minutes: 1_441 } },
      /sticky\.minutes is a whole number from 1 to 1440/,
    ],
  ] as const) {
    test(`is refused ${what}`, () => {
      expect(() => resolveUpstream(given)).toThrow(message);
      expect(() => resolveUpstream(given)).not.toThrow(/secret/);
    });
  }
});
