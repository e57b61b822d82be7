import { describe, expect, test } from 'vitest';

import { readTarget, siteOf, toAuthority } from '../../src/upstreams/target-address.js';

describe('a target is read', () => {
  for (const [authority, host, port] of [
    ['example.com:443', 'example.com', 443],
    ['example.com:80', 'example.com', 80],
    ['EXAMPLE.com.:8080', 'example.com', 8080],
    ['b\u00fccher.example:80', 'xn--bcher-kva.example', 80],
    ['xn--bcher-kva.example:80', 'xn--bcher-kva.example', 80],
    ['%65xample.com:80', 'example.com', 80],
    ['a_b.example.com:80', 'a_b.example.com', 80],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['127.0.0.1.:1', '127.0.0.1', 1],
    ['127.1:80', '127.0.0.1', 80],
    ['0x7f.1:80', '127.0.0.1', 80],
    ['0177.0.0.1:80', '127.0.0.1', 80],
    ['2130706433:80', '127.0.0.1', 80],
    ['0:80', '0.0.0.0', 80],
    ['\uff11\uff12\uff17.1:80', '127.0.0.1', 80],
    ['[::1]:65535', '::1', 65_535],
    ['[0:0:0:0:0:0:0:1]:443', '::1', 443],
    ['[::ffff:127.0.0.1]:80', '::ffff:7f00:1', 80],
  ] as const) {
    test(`from ${authority}`, () => expect(readTarget(authority)).toEqual({ host, port }));
  }

  test('with the default port where none is named', () => {
    expect(readTarget('example.com', 80)).toEqual({ host: 'example.com', port: 80 });
    expect(readTarget('[::1]', 443)).toEqual({ host: '::1', port: 443 });
    expect(readTarget('example.com:80', 443)).toEqual({ host: 'example.com', port: 80 });
  });
});

describe('no target is read from', () => {
  for (const authority of [
    '',
    ':80',
    '.:80',
    'example.com',
    'example.com:',
    'example.com:0',
    'example.com:65536',
    'example.com:99999999',
    'example.com:-1',
    'example.com:8a',
    'example.com:80:80',
    'example.com..:80',
    'user@example.com:80',
    'user:pass@example.com:80',
    'example.com:80/',
    'example.com/path:80',
    'example.com?q:80',
    'example.com#f:80',
    'example.com\\:80',
    'exa mple.com:80',
    'exam\tple.com:80',
    ' example.com:80',
    'example.com:80\r\n',
    '::1',
    '::1:80',
    '[::1',
    '[::1]]:80',
    '[]:80',
    '[example.com]:80',
    '[fe80::1%25eth0]:80',
    '256.256.256.256:80',
    `${'a'.repeat(64)}.${'b'.repeat(190)}:80`,
  ]) {
    test(JSON.stringify(authority.slice(0, 40)), () => expect(readTarget(authority)).toBe(undefined));
  }
});

test('an authority has IPv6 addresses in brackets and always a port', () => {
  expect(toAuthority({ host: '::1', port: 80 })).toBe('[::1]:80');
  expect(toAuthority({ host: 'example.com', port: 80 })).toBe('example.com:80');
});

describe('the site', () => {
  for (const [host, site] of [
    ['example.com', 'example.com'],
    ['www.shop.example.co.uk', 'example.co.uk'],
    ['alice.github.io', 'alice.github.io'],
    ['www.alice.github.io', 'alice.github.io'],
    ['github.io', 'github.io'],
    ['com', 'com'],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
  ] as const) {
    test(`of ${host} is ${site}`, () => expect(siteOf(host)).toBe(site));
  }
});
