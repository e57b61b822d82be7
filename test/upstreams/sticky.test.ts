import { inspect } from 'node:util';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import { stickyNameOf } from '../../src/upstreams/sticky.js';
import type { Exits } from '../../src/upstreams/upstream.js';
import { resolveUpstream } from '../../src/upstreams/upstream-url.js';
import type { UpstreamConfig, UpstreamConfigObject } from '../../src/upstreams/upstream-url.js';
import { createFakeVendor } from '../support/fake-vendor.js';
import { createHttpTarget } from '../support/target-http.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { createRawTarget } from '../support/target-raw.js';
import { closeLater, dial, failureOf, openUpstream, send } from './open-upstream.js';

const VENDOR = {
  credentials: /^user-session-(?<session>[0-9a-z]{10})-sessionduration-(?<minutes>\d+):pass$/,
  countsFrom: 'creation',
} as const;
const MINUTE = 60_000;

function exitsOf(config: UpstreamConfig): Exits {
  const { exits } = openUpstream(config);
  if (exits === undefined) throw new Error('expected exits');
  return exits;
}

async function openVendor() {
  const vendor = closeLater(await createFakeVendor(VENDOR));
  const url = `http://user-session-{session}-sessionduration-{minutes}:pass@127.0.0.1:${vendor.port}`;
  return { vendor, url, target: closeLater(await createHttpTarget()) };
}

describe('a URL with {session} in it', () => {
  test('gives each session an outgoing IP of its own, and keeps it', async () => {
    const { vendor, url, target } = await openVendor();
    const exits = exitsOf(url);
    for (const seed of ['1', '2', '1', '2']) await text(await send(exits.through(exits.draw(seed).exit), target));
    expect(target.seen.map(({ remoteAddress }) => remoteAddress)).toEqual([
      '127.0.0.2',
      '127.0.0.3',
      '127.0.0.2',
      '127.0.0.3',
    ]);
    expect(vendor.sessions.slice(0, 2)).toEqual([exits.draw('1').exit, exits.draw('2').exit]);
  });

  test('gives tunnels the same ones', async () => {
    const { url, target } = await openVendor();
    const exits = exitsOf(url);
    const one = exits.through(exits.draw('1').exit);
    await text(await send(one, target));
    const raw = closeLater(await createRawTarget());
    await dial(one, raw);
    expect(raw.connections[0]?.socket.remoteAddress).toBe(target.seen[0]?.remoteAddress);
  });

  test('never has a connection of one session carry the request of another', async () => {
    const { vendor, url, target } = await openVendor();
    const exits = exitsOf(url);
    for (const seed of ['1', '2', '1', '2', '1']) await text(await send(exits.through(exits.draw(seed).exit), target));
    const names = ['1', '2'].map((seed) => exits.draw(seed).exit);
    expect(vendor.connections.map((carried) => [...carried])).toEqual(names.map((name) => [name]));
  });

  test('gives each request without a session a fresh one', async () => {
    const { vendor, url, target } = await openVendor();
    const upstream = openUpstream(url);
    for (let times = 0; times < 3; times += 1) await text(await send(upstream, target));
    expect(new Set(vendor.sessions).size).toBe(3);
  });

  test('has it until the vendor forgets it, and not beyond', async () => {
    const { vendor, url, target } = await openVendor();
    const exits = exitsOf({ url, sticky: { minutes: 3 } });
    const one = exits.through(exits.draw('1').exit);
    for (const passMs of [0, 3 * MINUTE - 1, 1]) {
      vendor.clock.advance(passMs);
      await text(await send(one, target));
    }
    const [first, second, third] = target.seen.map(({ remoteAddress }) => remoteAddress);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(one).toMatchObject({ stickyMs: 3 * MINUTE, countsFrom: 'creation', stickyIdleMs: undefined });
  });

  test('says of an exit a word of its own where its IP is not known', () => {
    const upstream = openUpstream({ url: 'http://user-{session}:pass@gate.test:7000', name: 'gate' });
    const { exit, outgoingIp } = upstream.exits?.draw('1') ?? { exit: '', outgoingIp: '' };
    expect(exit).toMatch(/^[0-9a-z]{10}$/);
    expect(outgoingIp).toBe(`gate.test:7000/${exit}`);
    expect(upstream.exits?.through(exit)).toMatchObject({ id: 'gate.test:7000', name: 'gate', outgoingIp });
    expect(upstream).toMatchObject({ outgoingIp: 'gate.test:7000', stickyMs: 10 * MINUTE, countsFrom: 'creation' });
  });

  test('is spoken to over SOCKS5 as well', async () => {
    const proxy = closeLater(await createSocksProxy({ credentials: 'us:er-g5x4z:pass' }));
    const target = closeLater(await createRawTarget());
    const url = `socks5://us%3Aer-{session}:pass@127.0.0.1:${proxy.port}`;
    const exits = exitsOf({ url, sticky: { length: 5 } });
    await dial(exits.through('g5x4z'), target);
    expect(proxy.asked[0]?.user).toBe('us:er-g5x4z');
  });

  test('shows nobody its credentials', async () => {
    const { vendor, url } = await openVendor();
    const upstream = openUpstream(url.replace(':pass@', ':secret@'));
    const one = upstream.exits?.through('0123456789');
    expect(inspect([upstream, one], { depth: 9 }) + JSON.stringify([upstream, one])).not.toMatch(/secret|user-/);
    const error = await failureOf(send(one ?? upstream, vendor));
    expect(error).toMatchObject({ code: 'send_failed' });
    expect(error.message).toBe(
      `Upstream 127.0.0.1:${vendor.port} refused its credentials; check its URL in the configuration`,
    );
  });
});

describe('the name of a sticky session', () => {
  for (const [alphabet, length, name] of [
    ['0123456789abcdefghijklmnopqrstuvwxyz', 10, /^[0-9a-z]{10}$/],
    ['01', 64, /^[01]{64}$/],
    ['ABCDEFGH', 1, /^[A-H]$/],
  ] as const) {
    test(`of ${length} characters of ${alphabet}`, () => {
      const names = Array.from({ length: 500 }, (_, index) => stickyNameOf(String(index), { alphabet, length }));
      expect(names.filter((one) => !name.test(one))).toEqual([]);
      expect(new Set(names.map((one) => one.charAt(0))).size).toBe(alphabet.length);
      expect(names[7]).toBe(stickyNameOf('7', { alphabet, length }));
    });
  }
});

describe('the options of sticky sessions', () => {
  const url = 'http://user-{session}-{country}:pa%7Bss%7D-{minutes}@gate.test';

  test('are filled in but for the session', () => {
    const spec = resolveUpstream({
      url,
      country: 'DE',
      sticky: { charset: 'a-cX_', length: 8, minutes: 60, countsFrom: 'use' },
    });
    expect(spec).toMatchObject({
      credentials: { user: 'user-{session}-de', password: 'pa%7Bss%7D-60' },
      sticky: { alphabet: 'abcX_', length: 8, stickyMs: 60 * MINUTE, countsFrom: 'use' },
    });
  });

  test('are not needed where the country alone is asked for', () => {
    const spec = resolveUpstream({ url: 'http://user-{country}:pass@gate.test', country: 'de' });
    expect(spec).toMatchObject({ credentials: { user: 'user-de', password: 'pass' }, sticky: undefined });
  });

  for (const [what, over, message] of [
    ['charset of one', { sticky: { charset: 'a' } }, /^gate\.test:80: sticky\.charset is two or more of 0-9 A-Z/],
    ['charset backwards', { sticky: { charset: 'z-a' } }, /sticky\.charset/],
    ['charset with a colon', { sticky: { charset: '0-9:' } }, /sticky\.charset/],
    ['length of 0', { sticky: { length: 0 } }, /sticky\.length is a whole number from 1 to 64/],
    ['length of 65', { sticky: { length: 65 } }, /sticky\.length/],
    ['0 minutes', { sticky: { minutes: 0 } }, /sticky\.minutes is a whole number from 1 to 10080/],
    ['half a minute', { sticky: { minutes: 0.5 } }, /sticky\.minutes/],
    [
      'no session in the URL',
      { url: 'http://user:secret@gate.test', sticky: {} },
      /sticky needs \{session\} .*or a vendor/,
    ],
    ['no session in the template', { url: 'http://user-{country}:secret@gate.test', sticky: {} }, /need \{session\}/],
    ['a session and a vendor', { vendor: 'decodo' }, /a vendor knows where \{session\} goes/],
  ] as const) {
    test(`are refused with ${what}`, () => {
      const given: UpstreamConfigObject = { url, country: 'de', ...over };
      expect(() => resolveUpstream(given)).toThrow(message);
      expect(() => resolveUpstream(given)).not.toThrow(/secret|pa\{ss/);
    });
  }
});
