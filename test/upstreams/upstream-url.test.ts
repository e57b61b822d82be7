import { describe, expect, test } from 'vitest';

import { resolveUpstream, resolveUpstreams } from '../../src/upstreams/upstream-url.js';
import { redactUpstreamUrl } from '../../src/upstreams/upstream-way.js';

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
    ['direct://', { kind: 'direct', id: 'direct', outgoingIp: 'direct' }],
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
    [
      'socks4://secret:secret@proxy.test',
      /^socks4:\/\/\*\*\*@proxy\.test: this version doesn't have socks4:\/\/ upstreams yet; use/,
    ],
    ['socks4://proxy.test', /this version doesn't have socks4:\/\/ upstreams yet/],
    ['socks4a://proxy.test', /this version doesn't have socks4a:\/\/ upstreams yet/],
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
    ['local://2001:db8::1', /needs an address of this machine; .*local:\/\/\[2001:db8::1\]/],
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
