import { describe, expect, test } from 'vitest';

import { resolveUpstream, resolveUpstreams } from '../../src/upstreams/upstream-url.js';
import { redactUpstreamUrl } from '../../src/upstreams/redact-url.js';

describe('an upstream is read', () => {
  for (const [url, spec] of [
    [
      'http://proxy.test:3128',
      { kind: 'http', host: 'proxy.test', port: 3128, id: 'proxy.test:3128', credentials: undefined },
    ],
    ['http://proxy.test', { kind: 'http', port: 80, id: 'proxy.test:80' }],
    ['http://proxy.test:80/', { kind: 'http', port: 80 }],
    ['HTTP://Proxy.Test:3128', { kind: 'http', host: 'proxy.test' }],
    ['  http://proxy.test:3128  ', { kind: 'http', port: 3128 }],
    ['http://[2001:DB8::1]:3128', { host: '2001:db8::1', id: '[2001:db8::1]:3128' }],
    ['http://user:pass@proxy.test:3128', { id: 'proxy.test:3128', credentials: { user: 'user', password: 'pass' } }],
    ['http://user@proxy.test', { credentials: { user: 'user', password: '' } }],
    ['http://:@proxy.test', { credentials: undefined }],
    ['http://us%20er:p%40s%3As@proxy.test', { credentials: { user: 'us er', password: 'p@s:s' } }],
    ['http://user:a@b:c/d@proxy.test', { credentials: { user: 'user', password: 'a@b:c/d' } }],
    [
      'https://user:pass@proxy.test',
      { kind: 'https', port: 443, id: 'proxy.test:443', insecure: false, credentials: { user: 'user' } },
    ],
    ['https://proxy.test:8443', { kind: 'https', port: 8443, id: 'proxy.test:8443' }],
    ['socks5://proxy.test', { kind: 'socks5', port: 1080, id: 'proxy.test:1080' }],
    ['socks5://proxy.test:80', { kind: 'socks5', port: 80 }],
    [
      'socks5h://us%3Aer:pass@proxy.test:9050',
      { kind: 'socks5', port: 9050, credentials: { user: 'us:er', password: 'pass' } },
    ],
    ['local://127.0.0.2', { kind: 'local', address: '127.0.0.2', id: '127.0.0.2', outgoingIp: '127.0.0.2' }],
    [
      'local://[2001:DB8:0::1]',
      { kind: 'local', address: '2001:db8::1', id: '2001:db8::1', outgoingIp: '2001:db8::1' },
    ],
    ['direct://', { kind: 'direct', id: 'direct', outgoingIp: 'direct', weight: 1 }],
    ['socks4://proxy.test', { kind: 'socks4', port: 1080, id: 'proxy.test:1080', credentials: undefined }],
    ['socks4a://us%3Aer@proxy.test:9050', { kind: 'socks4', port: 9050, credentials: { user: 'us:er', password: '' } }],
    ['local://2001:DB8::1', { kind: 'local', address: '2001:db8::1', id: '2001:db8::1' }],
    ['local://2001:db8::/64', { kind: 'prefix', network: '2001:db8::', bits: 64, id: '2001:db8::/64' }],
    ['local://[2001:DB8:0::]/64/', { kind: 'prefix', network: '2001:db8::', bits: 64, outgoingIp: '2001:db8::/64' }],
    ['local://127.0.4.0/24', { kind: 'prefix', network: '127.0.4.0', bits: 24, id: '127.0.4.0/24' }],
    ['local://127.0.4.2/31', { kind: 'prefix', network: '127.0.4.2', bits: 31 }],
    ['local://127.0.4.2/32', { kind: 'local', address: '127.0.4.2', outgoingIp: '127.0.4.2' }],
    ['local://2001:db8::7/128', { kind: 'local', address: '2001:db8::7', outgoingIp: '2001:db8::7' }],
    ['http://us%7Ber%7D:p{ss@proxy.test', { sticky: undefined, credentials: { user: 'us{er}', password: 'p{ss' } }],
  ] as const) {
    test(`from ${url}`, () => expect(resolveUpstream(url)).toMatchObject(spec));
  }

  test('with a name, a country and an outgoing IP', () => {
    const spec = resolveUpstream({ url: 'http://proxy.test', name: 'one', country: 'US', outgoingIp: '2001:DB8::0:7' });
    expect(spec).toMatchObject({ id: 'proxy.test:80', name: 'one', country: 'us', outgoingIp: '2001:db8::7' });
  });

  test('with a state and a city, in lower case', () => {
    const spec = resolveUpstream({ url: 'http://proxy.test', state: ' NY', city: 'New York' });
    expect(spec).toMatchObject({ state: 'ny', city: 'new york' });
    expect(resolveUpstream('http://proxy.test')).toMatchObject({ state: undefined, city: undefined });
  });

  test('with a certificate that is not verified', () => {
    expect(resolveUpstream({ url: 'https://proxy.test', insecure: true })).toMatchObject({ insecure: true });
    expect(resolveUpstream({ url: 'direct://', insecure: false })).toMatchObject({ kind: 'direct' });
  });

  test('with its id for what is not said', () => {
    const spec = resolveUpstream({ url: 'socks5://user:pass@proxy.test' });
    expect(spec).toMatchObject({ name: 'proxy.test:1080', country: undefined, outgoingIp: 'proxy.test:1080' });
  });
});

describe('a fault is named, with what to write instead and no credentials,', () => {
  for (const [url, message] of [
    ['', /^The upstream URL is empty; write http:/],
    ['proxy.test:3128', /^proxy\.test:3128 is no kind of upstream; write http:\/\/user:pass@host:port, https:/],
    ['ftp://secret:secret@proxy.test', /^ftp:\/\/\*\*\*@proxy\.test is no kind of upstream/],
    ['https://sec%3Aret:secret@proxy.test', /can't have a colon/],
    ['socks4://secret:secret@proxy.test', /^socks4:\/\/\*\*\*@proxy\.test: SOCKS4 has users and no passwords; write/],
    ['socks4a://secret%00@proxy.test', /a user of SOCKS4 can't have a NUL in it/],
    [
      'http://secret-{secret}:x@proxy.test',
      /^http:\/\/\*\*\*@proxy\.test: what stands in braces .* is none of \{session\}/,
    ],
    ['http://secret:{}@proxy.test', /what stands in braces .*, or %7B for a brace that is meant/],
    ['http://secret-{Session}:x@proxy.test', /what stands in braces/],
    [
      'http://secret:x@{session}.proxy.test',
      /^http:\/\/\*\*\*@…: \{session\} and its kin stand in the user or the password/,
    ],
    ['http://{session}.proxy.test', /^http:\/\/…: \{session\} and its kin stand in the user/],
    [
      'http://secret-{minutes}:x@proxy.test',
      /^proxy\.test:80: sticky sessions need \{session\} in the user or password/,
    ],
    ['http://secret-{session}-{country}:x@proxy.test', /^proxy\.test:80: \{country\} stands for the country/],
    ['http://secret%zz-{session}:x@proxy.test', /not percent-encoded/],
    [`socks5://${'s'.repeat(246)}{session}:x@proxy.test`, /room for 255 bytes/],
    ['http://', /^http:\/\/ has no valid host and port; write http:\/\/user:pass@host:port/],
    ['http://secret:secret@', /^http:\/\/\*\*\*@ has no valid host/],
    ['http://secret:secret', /^http:\/\/… has no valid host/],
    ['http://secret:se@cret:secret', /^http:\/\/\*\*\*@… has no valid host/],
    ['http://proxy.test:8000:secret:secret', /^http:\/\/… has no valid host/],
    ['http://proxy.test:0', /^http:\/\/proxy\.test:0 has no valid host/],
    ['http://proxy.test/path', /^http:\/\/… has no valid host/],
    ['socks5://proxy.test:99999', /^socks5:\/\/proxy\.test:99999 has no valid host and port; write socks5:/],
    [
      'http://secret:100%@proxy.test',
      /^http:\/\/\*\*\*@proxy\.test: user or password is not percent-encoded; write % as %25/,
    ],
    ['http://sec%3Aret:secret@proxy.test', /can't have a colon/],
    [`socks5://secret:${'s'.repeat(256)}@proxy.test`, /room for 255 bytes/],
    ['local://', /needs an address of this machine; write local:/],
    ['local://eth0', /^local:\/\/eth0 needs an address of this machine/],
    ['local://localhost', /needs an address of this machine/],
    ['local://127.0.0.2:80', /needs an address of this machine/],
    ['local://[192.0.2.1]', /^local:\/\/\[192\.0\.2\.1\] needs an address of this machine/],
    ['local://[2001:db8::1', /^local:\/\/… needs an address of this machine/],
    ['local://fe80::1%eth0', /^local:\/\/fe80::1%eth0: an address with a zone/],
    ['local://[fe80::1%eth0]/64', /an address with a zone/],
    [
      'local://192.0.2.0/33',
      /^local:\/\/192\.0\.2\.0\/33: the length of a prefix of IPv4 addresses is a number from 1 to 32/,
    ],
    ['local://192.0.2.0/0', /from 1 to 32/],
    ['local://192.0.2.0//24', /from 1 to 32/],
    ['local://192.0.2.0/255.255.255.0', /from 1 to 32/],
    ['local://2001:db8::/129', /^local:\/\/2001:db8::\/129: the length of a prefix of IPv6 addresses .* 1 to 128/],
    [
      'local://192.0.2.1/24',
      /is not where its prefix begins; write 192\.0\.2\.0\/24, or 192\.0\.2\.1 for that one alone/,
    ],
    ['local://[2001:db8::1]/64', /^local:\/\/\[2001:db8::1\]\/64 is not where .* write 2001:db8::\/64, or 2001:db8::1/],
    ['direct://proxy.test', /nothing follows direct:\/\/; write direct:\/\//],
  ] as const) {
    test(`in ${url.slice(0, 60)}`, () => {
      expect(() => resolveUpstream(url)).toThrow(message);
      expect(() => resolveUpstream(url)).not.toThrow(/secret/);
    });
  }

  test('in insecure on a proxy that is spoken to in the clear', () => {
    expect(() => resolveUpstream({ url: 'http://secret:secret@proxy.test', insecure: true })).toThrow(
      /^proxy\.test:80: insecure is .*targets\.insecure/,
    );
  });

  for (const [what, over, message] of [
    ['country', { country: 'usa' }, /^127\.0\.0\.2: country usa is not/],
    ['outgoing IP', { outgoingIp: 'here' }, /^127\.0\.0\.2: outgoingIp here is not an IP address/],
    ['certificate', { insecure: true }, /^127\.0\.0\.2: insecure is about the certificate of an https:\/\/ proxy/],
    ['state', { state: ' ' }, /^127\.0\.0\.2: the state has 0 characters; write 1 to 50/],
    ['weight', { weight: 0 }, /^127\.0\.0\.2: weight 0 is not a number above 0/],
    ['weight', { weight: Infinity }, /weight Infinity is not/],
    ['vendor', { vendor: 'apify' }, /^127\.0\.0\.2: vendor and sticky are about proxies/],
    ['sticky', { sticky: {} }, /vendor and sticky are about proxies/],
    ['city', { city: 'x'.repeat(51) }, /^127\.0\.0\.2: the city has 51 characters; write 1 to 50/],
    ['name', { name: ' ' }, /^127\.0\.0\.2 has an empty name/],
  ] as const) {
    test(`in a ${what}`, () => expect(() => resolveUpstream({ url: 'local://127.0.0.2', ...over })).toThrow(message));
  }

  test('with its place in a list', () => {
    expect(() => resolveUpstreams(['direct://', 'what'])).toThrow(/^Upstream 2: what is no kind of upstream/);
  });
});

describe('in a list', () => {
  test('upstreams of one id are numbered, and so are the words for IPs that are not known', () => {
    const specs = resolveUpstreams([
      'http://a:a@proxy.test:1',
      'http://b:b@proxy.test:1',
      { url: 'http://c:c@proxy.test:1', outgoingIp: '192.0.2.7' },
    ]);
    expect(specs.map(({ id, name, outgoingIp }) => [id, name, outgoingIp])).toEqual([
      ['proxy.test:1', 'proxy.test:1', 'proxy.test:1'],
      ['proxy.test:1#2', 'proxy.test:1#2', 'proxy.test:1#2'],
      ['proxy.test:1#3', 'proxy.test:1#3', '192.0.2.7'],
    ]);
  });

  test('one address of this machine stays one outgoing IP', () => {
    const specs = resolveUpstreams(['local://127.0.0.2', 'local://127.0.0.2', 'direct://', 'direct://']);
    expect(specs.map(({ id, outgoingIp }) => [id, outgoingIp])).toEqual([
      ['127.0.0.2', '127.0.0.2'],
      ['127.0.0.2#2', '127.0.0.2'],
      ['direct', 'direct'],
      ['direct#2', 'direct'],
    ]);
  });

  test('a list of local addresses is several upstreams', () => {
    const specs = resolveUpstreams([
      'local://192.0.2.1, 192.0.2.2,2001:db8::1,[2001:db8:1::]/64',
      { url: 'local://192.0.2.2,192.0.2.3', name: 'home', country: 'NL', weight: 2 },
    ]);
    expect(specs.map(({ id, name, outgoingIp, weight }) => [id, name, outgoingIp, weight])).toEqual([
      ['192.0.2.1', '192.0.2.1', '192.0.2.1', 1],
      ['192.0.2.2', '192.0.2.2', '192.0.2.2', 1],
      ['2001:db8::1', '2001:db8::1', '2001:db8::1', 1],
      ['2001:db8:1::/64', '2001:db8:1::/64', '2001:db8:1::/64', 1],
      ['192.0.2.2#2', 'home/192.0.2.2', '192.0.2.2', 2],
      ['192.0.2.3', 'home/192.0.2.3', '192.0.2.3', 2],
    ]);
    expect(specs.map(({ country }) => country).slice(-2)).toEqual(['nl', 'nl']);
  });

  for (const list of ['local://192.0.2.1,', 'local://192.0.2.1,,192.0.2.2', 'local://192.0.2.1,http://192.0.2.2']) {
    test(`${list} has a fault`, () => {
      expect(() => resolveUpstreams([list])).toThrow(/^Upstream 1: local:\/\/.* needs an address of this machine/);
    });
  }

  test('an upstream of many exits has no one outgoing IP', () => {
    for (const url of ['local://192.0.2.0/24', 'http://user-{session}:pass@proxy.test']) {
      const given = [{ url, outgoingIp: '192.0.2.7' }];
      expect(() => resolveUpstreams(given)).toThrow(
        /outgoingIp is one address, and this upstream has many; leave it out/,
      );
    }
  });

  test('a name is given once', () => {
    const twice = [
      { url: 'local://127.0.0.2', name: 'a' },
      { url: 'local://127.0.0.3', name: 'a' },
    ];
    expect(() => resolveUpstreams(twice)).toThrow('Two upstreams are named a');
    const clash = ['local://127.0.0.2', { url: 'direct://', name: '127.0.0.2' }];
    expect(() => resolveUpstreams(clash)).toThrow('Two upstreams are named 127.0.0.2');
  });
});

test('a URL is shown without what may be secret', () => {
  expect(redactUpstreamUrl('http://user:pass@proxy.test:80')).toBe('http://***@proxy.test:80');
  expect(redactUpstreamUrl('direct://')).toBe('direct://');
});
