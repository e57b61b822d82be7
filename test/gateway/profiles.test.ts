import { describe, expect, test } from 'vitest';

import { applyProfile, applyUserAgent } from '../../src/gateway/profiles/apply-profile.js';
import { createProfiles, type Device, type Profile } from '../../src/gateway/profiles/profiles.js';
import { fieldsOf, type RawHeaders, valuesOf } from '../../src/protocol/raw-headers.js';

const NONE: ReadonlySet<string> = new Set();

const CHROME: Profile = {
  userAgent: 'Chrome',
  headers: [
    ['sec-ch-ua', '"Chrome"'],
    ['sec-ch-ua-mobile', '?0'],
    ['Upgrade-Insecure-Requests', '1'],
    ['User-Agent', 'Chrome'],
    ['Accept', 'text/html'],
    ['Sec-Fetch-Site', 'same-site'],
    ['Sec-Fetch-Mode', 'navigate'],
    ['Accept-Encoding', 'gzip, br, zstd'],
    ['Accept-Language', 'en-US,en;q=0.9'],
  ].flat(),
};

/** Reads fields written one a line, as they stand on the wire. */
function fields(text: string): string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
}

describe('a profile', () => {
  const profiles = createProfiles();

  for (const [device, isMobile] of [
    ['desktop', false],
    ['mobile', true],
  ] as const) {
    test(`of a ${device} is one ${device} browser that agrees with itself, each of 300 times`, async () => {
      for (let draw = 0; draw < 300; draw += 1) {
        const { userAgent, headers } = await profiles.profileOf({ key: undefined, device });
        expect({ userAgent, isMobile: /Mobi|Android/.test(userAgent) }).toEqual({ userAgent, isMobile });
        expect(valuesOf(headers, 'user-agent')).toEqual([userAgent]);
        expect(valuesOf(headers, 'accept')).toHaveLength(1);
        expect(valuesOf(headers, 'accept-language')).toEqual(['en-US,en;q=0.9']);
        const hints = userAgent.includes('Chrome/') ? [isMobile ? '?1' : '?0'] : [];
        expect({ userAgent, hints: valuesOf(headers, 'sec-ch-ua-mobile') }).toEqual({ userAgent, hints });
        expect(valuesOf(headers, 'sec-ch-ua-platform')).toHaveLength(hints.length);
      }
    });
  }

  test('names its fields in HTTP/1.1 case, each once, and none that belongs to a connection', async () => {
    const seen = new Set<string>();
    for (let draw = 0; draw < 300; draw += 1) {
      const { headers } = await profiles.profileOf({ key: undefined, device: draw % 2 === 0 ? 'desktop' : 'mobile' });
      const names = [...fieldsOf(headers)].map(([name]) => name);
      expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
      for (const name of names) seen.add(name);
    }
    expect(
      [...seen].filter((name) => !/^(?:sec-ch-ua(?:-mobile|-platform)?|DNT|(?:[A-Z][a-z]+-?)+)$/.test(name)),
    ).toEqual([]);
    expect([...seen]).toEqual(expect.arrayContaining(['User-Agent', 'Accept', 'sec-ch-ua', 'Sec-Fetch-Mode']));
    expect([...seen].filter((name) => /^(?:connection|te|host|cookie)$/i.test(name))).toEqual([]);
  });

  test('stays with its session, also when its first requests come together', async () => {
    const [first, second] = await Promise.all([keyed('1', 'desktop'), keyed('1', 'desktop')]);
    expect(second).toBe(first);
    expect(await keyed('1', 'desktop')).toBe(first);
    expect(await keyed('1', 'mobile')).not.toBe(first);
    expect(await keyed('2', 'desktop')).not.toBe(first);
  });

  test('is another one for each request without a session', async () => {
    const drawn = await Promise.all(Array.from({ length: 60 }, () => keyed(undefined, 'desktop')));
    expect(new Set(drawn).size).toBe(60);
    expect(new Set(drawn.map(({ userAgent }) => userAgent)).size).toBeGreaterThan(1);
  });

  test('is forgotten when it is the one not used for longest and too many are kept', async () => {
    const few = createProfiles({ maxKept: 2 });
    const of = (key: string): Promise<Profile> => few.profileOf({ key, device: 'desktop' });
    const [a, b] = [await of('a'), await of('b')];
    expect(await of('a')).toBe(a);
    const c = await of('c');
    expect(await of('a')).toBe(a);
    expect(await of('c')).toBe(c);
    expect(await of('b')).not.toBe(b);
    expect(await of('c')).toBe(c);
  });

  function keyed(key: string | undefined, device: Device): Promise<Profile> {
    return profiles.profileOf({ key, device });
  }
});

describe('a request with a profile', () => {
  const plain = `
    Host: shop.example
    X-First: 1
    user-agent: curl/8
    ACCEPT: */*
    accept-encoding: gzip
    DNT: 1
    Sec-CH-UA: "curl"
    Cookie: a=1
    x-first: 2`;

  const cases: readonly (readonly [
    name: string,
    given: string,
    use: { readonly pass?: readonly string[]; readonly isSecure?: boolean },
    expected: string,
  ])[] = [
    [
      "has the browser's fields behind Host, and all else as it was",
      plain,
      { isSecure: true },
      `Host: shop.example
      sec-ch-ua: "Chrome"
      sec-ch-ua-mobile: ?0
      Upgrade-Insecure-Requests: 1
      User-Agent: Chrome
      Accept: text/html
      Sec-Fetch-Site: none
      Sec-Fetch-Mode: navigate
      Accept-Encoding: gzip
      Accept-Language: en-US,en;q=0.9
      X-First: 1
      Cookie: a=1
      x-first: 2`,
    ],
    [
      'has no field that browsers send over TLS only, over plain HTTP',
      plain,
      {},
      `Host: shop.example
      Upgrade-Insecure-Requests: 1
      User-Agent: Chrome
      Accept: text/html
      Accept-Encoding: gzip
      Accept-Language: en-US,en;q=0.9
      X-First: 1
      Cookie: a=1
      x-first: 2`,
    ],
    [
      'asks for no encoding where the client asks for none',
      'Host: a',
      {},
      'Host: a\nUpgrade-Insecure-Requests: 1\nUser-Agent: Chrome\nAccept: text/html\nAccept-Language: en-US,en;q=0.9',
    ],
    [
      'begins with the browser where Host is not first',
      'X: 1\nHost: a',
      {},
      'Upgrade-Insecure-Requests: 1\nUser-Agent: Chrome\nAccept: text/html\nAccept-Language: en-US,en;q=0.9\nX: 1\nHost: a',
    ],
    [
      'keeps what is passed where it stood, and takes what was not sent from the profile',
      'Host: a\nX: 1\naccept: a/b\nAccept-Encoding: br\nY: 2',
      { pass: ['accept', 'accept-encoding', 'accept-language'] },
      'Host: a\nUpgrade-Insecure-Requests: 1\nUser-Agent: Chrome\nAccept-Language: en-US,en;q=0.9\nX: 1\naccept: a/b\nAccept-Encoding: br\nY: 2',
    ],
    [
      "keeps the client's hints with its User-Agent",
      'Host: a\nUser-Agent: Mine\nSec-CH-UA: "Mine"',
      { pass: ['user-agent'], isSecure: true },
      'Host: a\nUpgrade-Insecure-Requests: 1\nAccept: text/html\nSec-Fetch-Site: none\nSec-Fetch-Mode: navigate\nAccept-Language: en-US,en;q=0.9\nUser-Agent: Mine\nSec-CH-UA: "Mine"',
    ],
    [
      "keeps the client's own word on what the request is for",
      'Host: a\nUser-Agent: Mine\nSec-Fetch-Mode: cors',
      { isSecure: true },
      'Host: a\nsec-ch-ua: "Chrome"\nsec-ch-ua-mobile: ?0\nUpgrade-Insecure-Requests: 1\nUser-Agent: Chrome\nAccept: text/html\nAccept-Language: en-US,en;q=0.9\nSec-Fetch-Mode: cors',
    ],
  ];

  for (const [name, given, { pass = [], isSecure = false }, expected] of cases) {
    test(name, () => {
      const raw: RawHeaders = Object.freeze(fields(given));
      expect(applyProfile(raw, CHROME, { pass: new Set(pass), isSecure })).toEqual(fields(expected));
    });
  }

  for (const [referer, site] of [
    [undefined, 'none'],
    ['https://shop.example.com/list?a=1', 'same-origin'],
    ['https://shop.example.com:8443/', 'same-site'],
    ['https://www.example.com/', 'same-site'],
    ['http://shop.example.com/', 'cross-site'],
    ['https://other.com/', 'cross-site'],
    ['about:client', 'cross-site'],
    ['nonsense', 'cross-site'],
  ] as const) {
    test(`says it comes from ${site} where Referer is ${referer ?? 'absent'}`, () => {
      const raw = ['Host', 'shop.example.com', ...(referer === undefined ? [] : ['Referer', referer])];
      const applied = applyProfile(raw, CHROME, { pass: NONE, isSecure: true });
      expect(valuesOf(applied, 'sec-fetch-site')).toEqual([site]);
    });
  }
});

describe('a request with the User-Agent of a profile', () => {
  for (const [name, given, expected] of [
    [
      'has it where its own stood',
      'Host: a\nX: 1\nuser-agent: b\nAccept: c',
      'Host: a\nX: 1\nUser-Agent: Chrome\nAccept: c',
    ],
    ['has it once', 'user-agent: b\nX: 1\nUSER-AGENT: c', 'User-Agent: Chrome\nX: 1'],
    ['has it behind Host where it had none', 'Host: a\nX: 1', 'Host: a\nUser-Agent: Chrome\nX: 1'],
    ['has it first where Host is not', 'X: 1\nHost: a', 'User-Agent: Chrome\nX: 1\nHost: a'],
  ] as const) {
    test(name, () => {
      expect(applyUserAgent(fields(given), CHROME)).toEqual(fields(expected));
    });
  }
});
