import { describe, expect, test } from 'vitest';

import { namesOfHost, namesOfHosts } from '../../../src/gateway/certificates/certificate-names.js';

function written({ names }: ReturnType<typeof namesOfHost>): string {
  return names.map(({ type, value }) => `${type}:${value}`).join(' ');
}

describe('the names of a host', () => {
  for (const [name, host, names] of [
    ['a registrable domain has a wildcard', 'example.com', 'dns:*.example.com dns:example.com'],
    ['a name below it shares that', 'www.example.com', 'dns:*.example.com dns:example.com'],
    ['a wildcard covers one label', 'a.shop.example.com', 'dns:*.shop.example.com dns:shop.example.com'],
    ['a country suffix counts', 'shop.example.co.uk', 'dns:*.example.co.uk dns:example.co.uk'],
    ['below a public suffix there is one name', 'example.co.uk', 'dns:*.example.co.uk dns:example.co.uk'],
    ['a public suffix has none but its own', 'co.uk', 'dns:co.uk'],
    ['a top-level domain has none but its own', 'com', 'dns:com'],
    ['a shared suffix has none but its own', 'github.io', 'dns:github.io'],
    ['a name below a shared suffix is a site', 'someone.github.io', 'dns:*.someone.github.io dns:someone.github.io'],
    ['a wildcard suffix of the list counts', 'shop.example.ck', 'dns:*.shop.example.ck dns:shop.example.ck'],
    ['an unknown suffix is one label', 'a.host.internal', 'dns:*.host.internal dns:host.internal'],
    ['a single label stands alone', 'localhost', 'dns:localhost'],
    ['an underscore fits no wildcard', 'my_shop.example.com', 'dns:my_shop.example.com'],
    ['an underscore in the parent fits none', 'a.my_shop.example.com', 'dns:a.my_shop.example.com'],
    ['a hyphen at an end fits none', 'shop-.example.com', 'dns:shop-.example.com'],
    ['Unicode becomes punycode', 'www.bücher.example', 'dns:*.xn--bcher-kva.example dns:xn--bcher-kva.example'],
    ['case and a trailing dot go', 'WWW.Example.COM.', 'dns:*.example.com dns:example.com'],
    ['IPv4 is an address', '192.0.2.7', 'ip:192.0.2.7'],
    ['IPv4 in another spelling is that address', '0xc0.0.2.7', 'ip:192.0.2.7'],
    ['IPv6 is an address', '2001:DB8::7', 'ip:2001:db8::7'],
    ['IPv6 may have brackets', '[2001:db8::7]', 'ip:2001:db8::7'],
  ] as const) {
    test(name, () => expect(written(namesOfHost(host))).toBe(names));
  }
});

test('hosts that share a certificate have one key, others their own', () => {
  const keyOf = (host: string): string => namesOfHost(host).key;
  expect(keyOf('a.example.com')).toBe(keyOf('example.com'));
  expect(keyOf('shop.example.com')).toBe(keyOf('b.example.com'));
  expect(keyOf('a.shop.example.com')).not.toBe(keyOf('shop.example.com'));
  expect(keyOf('one.github.io')).not.toBe(keyOf('two.github.io'));
});

for (const host of [
  '',
  '.',
  'a..b',
  '*.com',
  '*.example.com',
  'a b',
  'a/b',
  'user@host',
  'host:443',
  'a,b',
  'fe80::1%eth0',
  '999.1.1.1',
  `${'a.'.repeat(130)}com`,
]) {
  test(`no certificate is made for ${JSON.stringify(host).slice(0, 30)}`, () => {
    expect(() => namesOfHost(host)).toThrow(expect.objectContaining({ name: 'GatewayError', code: 'bad_request' }));
    expect(() => namesOfHosts(['example.com', host])).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });
}

test('several hosts are named as they are, each once, without wildcards', () => {
  const names = namesOfHosts(['Proxy.example.com', '127.0.0.1', '::1', 'localhost', 'proxy.example.com']);
  expect(written(names)).toBe('dns:proxy.example.com ip:127.0.0.1 ip:::1 dns:localhost');
});

test('no host at all is refused', () => {
  expect(() => namesOfHosts([])).toThrow(expect.objectContaining({ code: 'bad_request' }));
});
