import fc from 'fast-check';
import { validateHeaderValue } from 'node:http';
import { describe, expect, test } from 'vitest';

import {
  type CookieJars,
  createCookieJars,
  JAR_LIFE_MS,
  MAX_CHARACTERS,
  MAX_JARS,
} from '../../src/gateway/cookies/cookie-jars.js';
import { MAX_COOKIES } from '../../src/gateway/cookies/cookie-store.js';
import type { CookieMode } from '../../src/protocol/directives.js';
import { valuesOf } from '../../src/protocol/raw-headers.js';
import { FakeClock } from '../support/fake-clock.js';

const SHOP = 'https://shop.example.com/';
const START_MS = Date.UTC(2024, 0, 1);

/** Jars with a clock, and the two questions that most tests ask of them. */
function createTestJars() {
  const clock = new FakeClock(START_MS);
  const jars = createCookieJars({ clock });
  return {
    clock,
    jars,
    /** An answer from `url` that sets cookies. */
    set: (url: string, ...cookies: readonly string[]) => answer(jars, { url, cookies }),
    /** The cookies of a request to `url`. */
    sent: (url: string, key = 'jar') => ask(jars, { url, key }),
  };
}

function answer(
  jars: CookieJars,
  { url, cookies, key = 'jar' }: { readonly url: string; readonly cookies: readonly string[]; readonly key?: string },
): void {
  const headers = cookies.flatMap((cookie) => ['Set-Cookie', cookie]);
  jars.incoming({ mode: 'enable', key, url: new URL(url), headers });
}

function ask(jars: CookieJars, { url, key }: { readonly url: string; readonly key: string }): string | undefined {
  const headers = jars.outgoing({ mode: 'enable', key, url: new URL(url), headers: [] });
  return valuesOf(headers, 'cookie')[0];
}

describe('the Cookie field of a request', () => {
  const given = ['Host', 'a', 'COOKIE', 'mine=1', 'X-Bytes', ' \u00e9 ', 'cookie', 'mine=2', 'Accept', 'b'];
  const others = ['X-Bytes', ' \u00e9 ', 'Accept', 'b'];

  for (const [mode, what, jar, headers, expected] of [
    ['disable', 'passes as it is', 'a=1', given, given],
    ['disable', 'stays away as it is', 'a=1', others, others],
    ['discard', 'is removed, each of them', 'a=1', given, ['Host', 'a', ...others]],
    ['discard', 'stays away', 'a=1', others, others],
    ['enable', "is the jar's, in the first one's place", 'a=1', given, ['Host', 'a', 'Cookie', 'a=1', ...others]],
    ['enable', 'is removed where the jar has none', undefined, given, ['Host', 'a', ...others]],
    ['enable', "is the jar's, and last, where the client had none", 'a=1', others, [...others, 'Cookie', 'a=1']],
    ['enable', 'stays away where neither has one', undefined, others, others],
  ] as const) {
    test(`under ${mode} ${what}`, () => {
      const { jars, set } = createTestJars();
      if (jar !== undefined) set(SHOP, jar);
      const url = new URL(SHOP);
      expect(jars.outgoing({ mode, key: 'jar', url, headers: Object.freeze([...headers]) })).toEqual(expected);
    });
  }

  for (const [mode, expected] of [
    ['enable', 'a=1'],
    ['disable', undefined],
    ['discard', undefined],
  ] as const satisfies readonly (readonly [CookieMode, string | undefined])[]) {
    test(`${expected ?? 'nothing'} is kept of an answer under ${mode}`, () => {
      const { jars, sent } = createTestJars();
      jars.incoming({ mode, key: 'jar', url: new URL(SHOP), headers: ['set-cookie', 'a=1', 'Other', 'b=2'] });
      expect(sent(SHOP)).toBe(expected);
    });
  }
});

describe('a jar', () => {
  for (const [name, setBy, cookies, askedFor, expected] of [
    ['sends all cookies, the longest path first', SHOP, ['a=1', 'b=2', 'c=3; Path=/x'], `${SHOP}x/y`, 'c=3; a=1; b=2'],
    ['sends the value set last', SHOP, ['a=1', 'a=2'], SHOP, 'a=2'],
    ['forgets what an answer deletes', SHOP, ['a=1', 'b=2', 'a=; Max-Age=0'], SHOP, 'b=2'],
    ['forgets what an answer lets expire', SHOP, ['a=1', 'a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT'], SHOP, undefined],
    ['keeps what never ends', SHOP, [`a=1; Max-Age=${'9'.repeat(400)}`], SHOP, 'a=1'],
    ['keeps a cookie without a name', SHOP, ['lonely'], SHOP, 'lonely'],
    ['keeps a cookie to its path', `${SHOP}in/page`, ['a=1'], `${SHOP}out`, undefined],
    ['keeps a cookie to its host', SHOP, ['a=1'], 'https://example.com/', undefined],
    ['shares what has a Domain', SHOP, ['a=1; Domain=example.com'], 'https://www.example.com/', 'a=1'],
    ['keeps Secure cookies to TLS', SHOP, ['a=1; Secure'], 'http://shop.example.com/', undefined],
    ['takes no Secure cookie from plain HTTP', 'http://shop.example.com/', ['a=1; Secure'], SHOP, undefined],
    ['sends plain cookies by either scheme', 'http://shop.example.com/', ['a=1'], SHOP, 'a=1'],
    ['refuses the Domain of another site', SHOP, ['a=1; Domain=other.com'], 'https://other.com/', undefined],
    ['refuses the Domain of a deeper host', SHOP, ['a=1; Domain=x.shop.example.com'], SHOP, undefined],
    ['refuses the Domain of a public suffix', SHOP, ['a=1; Domain=com'], SHOP, undefined],
    [
      'refuses a suffix shared by many',
      'https://a.github.io/',
      ['a=1; Domain=github.io'],
      'https://b.github.io/',
      undefined,
    ],
    [
      'works for an IPv4 address',
      'http://127.0.0.1:8080/',
      ['a=1', 'b=2; Domain=127.0.0.1'],
      'http://127.0.0.1/',
      'a=1; b=2',
    ],
    ['works for an IPv6 address', 'http://[::1]/', ['a=1'], 'http://[::1]:81/', 'a=1'],
    [
      'works for localhost',
      'http://localhost/',
      ['a=1', 'b=2; Domain=localhost'],
      'http://localhost:3000/',
      'a=1; b=2',
    ],
    ['works for names of a local network', 'http://a.lan.test/', ['a=1; Domain=lan.test'], 'http://b.lan.test/', 'a=1'],
    ['works for names of one label', 'http://target/', ['a=1'], 'http://target/', 'a=1'],
    ['refuses a name and value beyond 4,096 characters', SHOP, [`a=${'1'.repeat(4096)}`, 'b=2'], SHOP, 'b=2'],
    [
      'refuses a path beyond 1,024 characters',
      SHOP,
      [`a=1; Path=/${'x'.repeat(1024)}`],
      `${SHOP}${'x'.repeat(1024)}`,
      undefined,
    ],
  ] as const) {
    test(name, () => {
      const { set, sent } = createTestJars();
      set(setBy, ...cookies);
      expect(sent(askedFor)).toBe(expected);
    });
  }

  test('shares nothing with another jar', () => {
    const { set, sent } = createTestJars();
    set(SHOP, 'a=1');
    expect(sent(SHOP, 'other jar')).toBeUndefined();
  });

  for (const [name, cookie, lifeMs] of [
    ['Max-Age', 'a=1; Max-Age=60', 60_000],
    ['Expires', 'a=1; Expires=Mon, 01 Jan 2024 00:01:00 GMT', 60_000],
    ['Max-Age where both are set', 'a=1; Max-Age=30; Expires=Mon, 01 Jan 2024 00:01:00 GMT', 30_000],
  ] as const) {
    test(`lets a cookie go at its ${name} by the given clock, however often it is sent`, () => {
      const { clock, set, sent } = createTestJars();
      set(SHOP, cookie);
      clock.advance(lifeMs / 2);
      expect(sent(SHOP)).toBe('a=1');
      clock.advance(lifeMs / 2 - 1);
      expect(sent(SHOP)).toBe('a=1');
      clock.advance(1);
      expect(sent(SHOP)).toBeUndefined();
    });
  }

  test('is dropped 900 s after its last request, not after its last answer', () => {
    const { clock, set, sent } = createTestJars();
    set(SHOP, 'a=1');
    clock.advance(JAR_LIFE_MS - 1);
    expect(sent(SHOP)).toBe('a=1');
    clock.advance(JAR_LIFE_MS - 1);
    set(SHOP, 'b=2');
    clock.advance(1);
    expect(sent(SHOP)).toBeUndefined();
  });

  test('takes whatever an answer sets without throwing, and sends only what a field can hold', () => {
    const attribute = fc.constantFrom(
      '',
      ';',
      '; Domain=',
      '; Path=',
      '; Max-Age=',
      '; Expires=',
      '; Secure',
      '__Host-',
    );
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      attribute,
      fc.constantFrom('a', '=', '\u007f'),
    );
    const urls = fc.constantFrom(SHOP, 'http://127.0.0.1:1/%zz', 'http://[::1]/', 'http://localhost/', 'https://com/');
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 8 }), { maxLength: 5 }), urls, (pieces, url) => {
        const { set, sent } = createTestJars();
        set(url, ...pieces.map((parts) => parts.join('')));
        validateHeaderValue('Cookie', sent(url) ?? '');
      }),
      { numRuns: 500 },
    );
  });
});

describe('the room of jars is bounded', () => {
  test(`to ${MAX_COOKIES} cookies in one, the one set longest ago dropped first`, () => {
    const { set, sent } = createTestJars();
    for (let index = 0; index < MAX_COOKIES; index += 1) set(SHOP, `n${index}=1`);
    set(SHOP, 'n0=2');
    set(SHOP, 'last=1');
    const names = (sent(SHOP) ?? '').split('; ').map((cookie) => cookie.split('=')[0]);
    expect(names).toHaveLength(MAX_COOKIES);
    expect(names).toContain('n0');
    expect(names).not.toContain('n1');
    expect(names).toContain('last');
  });

  test(`to ${MAX_JARS} jars, the one used longest ago dropped first`, () => {
    const { jars, sent } = createTestJars();
    for (let index = 0; index < MAX_JARS; index += 1) answer(jars, { url: SHOP, cookies: ['a=1'], key: String(index) });
    expect(sent(SHOP, '0')).toBe('a=1');
    answer(jars, { url: SHOP, cookies: ['a=1'], key: 'one more' });
    expect(sent(SHOP, '1')).toBeUndefined();
    expect(['0', '2', 'one more'].map((key) => sent(SHOP, key))).toEqual(['a=1', 'a=1', 'a=1']);
  });

  test('in characters, and what has expired or was deleted or replaced takes none', () => {
    const { clock, jars, sent } = createTestJars();
    const value = 'x'.repeat(4000);
    const perJar = 100;
    const fitting = Math.floor(MAX_CHARACTERS / (perJar * 4100));
    const fill = (key: string, attributes: string): void =>
      answer(jars, {
        url: SHOP,
        cookies: Array.from({ length: perJar }, (_, n) => `n${n}=${value}${attributes}`),
        key,
      });
    for (let round = 0; round < 3; round += 1) fill('replaced', '');
    fill('replaced', '; Max-Age=0');
    fill('expiring', '; Max-Age=1');
    clock.advance(1000);
    expect(sent(SHOP, 'expiring')).toBeUndefined();
    for (let jar = 0; jar < fitting; jar += 1) fill(String(jar), '');
    expect(sent(SHOP, '0')).toContain('n0=');
    for (let jar = 0; jar < 6; jar += 1) fill(`more ${jar}`, '');
    expect(sent(SHOP, '0')).toContain('n0=');
    expect(sent(SHOP, '1')).toBeUndefined();
    expect(sent(SHOP, 'more 5')).toContain('n0=');
  });
});
