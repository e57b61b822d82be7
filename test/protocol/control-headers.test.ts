import { describe, expect, test } from 'vitest';
import { readDirectives } from '../../src/protocol/directives.js';

function read(headers: readonly string[]): ReturnType<typeof readDirectives> {
  return readDirectives({ headers, password: '' });
}

function refusal(headers: readonly string[], message: string): void {
  expect(() => read(headers)).toThrow(
    expect.objectContaining({ code: 'bad_header', message: expect.stringContaining(message) as string }),
  );
}

describe('a control header says', () => {
  for (const [name, value, asked] of [
    ['X-Crawlera-Max-Retries', '0', { maxRetries: 0 }],
    ['X-Crawlera-Max-Retries', ' 3 ', { maxRetries: 3 }],
    ['X-Crawlera-Max-Retries', '5', { maxRetries: 5 }],
    ['X-Crawlera-Max-Retries', '6', { maxRetries: 5 }],
    ['X-Crawlera-Max-Retries', '9'.repeat(400), { maxRetries: 5 }],
    ['X-Crawlera-Timeout', '30000', { responseTimeoutMs: 30_000 }],
    ['X-Crawlera-Timeout', '45000', { responseTimeoutMs: 45_000 }],
    ['X-Crawlera-Timeout', '45000.7', { responseTimeoutMs: 45_001 }],
    ['X-Crawlera-Timeout', '180000', { responseTimeoutMs: 180_000 }],
    ['X-Crawlera-Timeout', '180001', { responseTimeoutMs: 180_000 }],
    ['X-Crawlera-Timeout', '9'.repeat(400), { responseTimeoutMs: 180_000 }],
    ['X-Crawlera-Timeout', '29999', { responseTimeoutMs: 30_000 }],
    ['X-Crawlera-Timeout', '0', { responseTimeoutMs: 30_000 }],
    ['X-Crawlera-Timeout', '-1', { responseTimeoutMs: 30_000 }],
    ['X-Crawlera-No-Bancheck', '1', { bancheck: false }],
    ['X-Crawlera-No-Bancheck', '0', { bancheck: false }],
    ['X-Crawlera-No-Bancheck', 'disable', { bancheck: false }],
    ['X-Crawlera-No-Bancheck', '', { bancheck: false }],
    ['X-Crawlera-Cookies', 'enable', { cookies: 'enable' }],
    ['X-Crawlera-Cookies', 'Disable', { cookies: 'disable' }],
    ['x-crawlera-cookies', ' discard', { cookies: 'discard' }],
    ['X-Crawlera-Profile', 'pass', { profile: 'pass' }],
    ['X-Crawlera-Profile', 'DESKTOP', { profile: 'desktop' }],
    ['X-Crawlera-Profile', 'mobile', { profile: 'mobile' }],
    ['X-Crawlera-Profile-Pass', 'Accept', { profilePass: new Set(['accept']) }],
    ['X-Crawlera-Profile-Pass', 'Accept,, DNT , sec-ch-UA', { profilePass: new Set(['accept', 'dnt', 'sec-ch-ua']) }],
    ['X-Crawlera-UA', 'pass', { userAgent: 'pass' }],
    ['X-Crawlera-UA', 'desktop', { userAgent: 'desktop' }],
    ['X-Crawlera-UA', 'Mobile', { userAgent: 'mobile' }],
    ['X-Crawlera-UA', 'crawlera', { userAgent: 'desktop' }],
    ['X-Crawlera-No-UA', '1', { userAgent: 'pass' }],
    ['X-Crawlera-No-UA', '', { userAgent: 'pass' }],
    ['X-Crawlera-Use-HTTPS', '1', { useHttps: true }],
    ['X-Crawlera-Use-HTTPS', '0', { useHttps: false }],
    ['X-Crawlera-State', 'a'.repeat(50), { traits: { state: 'a'.repeat(50) } }],
    ['X-Crawlera-City', 'São Paulo', { traits: { city: 'são paulo' } }],
    ['X-Crawlera-JobId', '1/2/3', { jobId: '1/2/3' }],
    ['X-Crawlera-JobId', 'a\tb\u0085c', { jobId: 'a b c' }],
    ['X-Crawlera-JobId', 'j'.repeat(300), { jobId: 'j'.repeat(200) }],
    ['X-Crawlera-Client', 'scrapy-zyte-smartproxy/2.4.1', { client: 'scrapy-zyte-smartproxy/2.4.1' }],
    ['X-Crawlera-Debug', 'request-time', { debug: { requestTime: true, userAgent: false } }],
    ['X-Crawlera-Debug', 'UA', { debug: { requestTime: false, userAgent: true } }],
    ['X-Crawlera-Debug', 'ua , more,Request-Time', { debug: { requestTime: true, userAgent: true } }],
    ['X-Crawlera-Debug', 'more', { debug: { requestTime: false, userAgent: false } }],
  ] as const) {
    test(`${JSON.stringify(asked).slice(0, 80)} with ${name}: "${value.slice(0, 60)}"`, () => {
      expect(read([name, value])).toMatchObject(asked);
    });
  }

  test('the user agent itself, where another one only says to leave it alone', () => {
    expect(read(['X-Crawlera-No-UA', '1', 'X-Crawlera-UA', 'mobile']).userAgent).toBe('mobile');
  });

  test('nothing about a profile, if it is about the user agent', () => {
    const headers = ['X-Crawlera-UA', 'pass', 'X-Crawlera-Profile', 'desktop'];
    expect(read(headers)).toMatchObject({ userAgent: 'pass', profile: 'desktop' });
  });
});

describe('a control header is bad, and the error says what it takes:', () => {
  for (const [name, value, takes] of [
    ['X-Crawlera-Max-Retries', '-1', 'a whole number, 0 to 5'],
    ['X-Crawlera-Max-Retries', '1.5', 'a whole number, 0 to 5'],
    ['X-Crawlera-Max-Retries', '1e3', 'a whole number, 0 to 5'],
    ['X-Crawlera-Max-Retries', 'many', 'a whole number, 0 to 5'],
    ['X-Crawlera-Timeout', 'soon', 'a number of milliseconds, 30000 to 180000'],
    ['X-Crawlera-Timeout', '30s', 'a number of milliseconds'],
    ['X-Crawlera-Timeout', '0x7530', 'a number of milliseconds'],
    ['X-Crawlera-Timeout', 'Infinity', 'a number of milliseconds'],
    ['X-Crawlera-Timeout', 'NaN', 'a number of milliseconds'],
    ['X-Crawlera-Cookies', 'on', 'enable, disable, discard'],
    ['X-Crawlera-Profile', 'tablet', 'pass, desktop, mobile'],
    ['X-Crawlera-Profile-Pass', 'Accept, User Agent', 'names of header fields'],
    ['X-Crawlera-Profile-Pass', 'Accept;DNT', 'names of header fields'],
    ['X-Crawlera-Profile-Pass', ' , ', 'names of header fields'],
    ['X-Crawlera-UA', 'Mozilla/5.0', 'pass, desktop, mobile'],
    ['X-Crawlera-Use-HTTPS', 'yes', '1, 0'],
    ['X-Crawlera-Region', 'usa', 'two letters'],
    ['X-Crawlera-Region', 'u', 'two letters'],
    ['X-Crawlera-Region', '49', 'two letters'],
    ['X-Crawlera-State', 'a'.repeat(51), '1 to 50 characters'],
    ['X-Crawlera-City', 'a\tb', '1 to 50 characters'],
  ] as const) {
    test(`${name}: "${value}"`, () => refusal([name, value], `${name} is "${value.trim()}"; it takes ${takes}`));
  }

  for (const name of [
    'X-Crawlera-Max-Retries',
    'X-Crawlera-Timeout',
    'X-Crawlera-Cookies',
    'X-Crawlera-Profile',
    'X-Crawlera-Profile-Pass',
    'X-Crawlera-UA',
    'X-Crawlera-Use-HTTPS',
    'X-Crawlera-Region',
    'X-Crawlera-State',
    'X-Crawlera-City',
    'X-Crawlera-JobId',
    'X-Crawlera-Client',
    'X-Crawlera-Debug',
  ]) {
    test(`${name}, if it is empty`, () => refusal([name, ' '], `${name} is ""; it takes `));
  }

  for (const [name, value] of [
    ['X-Crawlera-Max-Retries', '1'],
    ['X-Crawlera-Timeout', '40000'],
    ['X-Crawlera-No-Bancheck', '1'],
    ['X-Crawlera-Cookies', 'enable'],
    ['X-Crawlera-Profile', 'pass'],
    ['X-Crawlera-Profile-Pass', 'dnt'],
    ['X-Crawlera-UA', 'pass'],
    ['X-Crawlera-No-UA', '1'],
    ['X-Crawlera-Use-HTTPS', '1'],
    ['X-Crawlera-Region', 'us'],
    ['X-Crawlera-State', 'ny'],
    ['X-Crawlera-City', 'ithaca'],
    ['X-Crawlera-JobId', '1'],
    ['X-Crawlera-Client', 'a/1'],
    ['X-Crawlera-Debug', 'ua'],
  ] as const) {
    test(`${name}, if it stands there twice`, () => {
      refusal([name, value, 'Accept', '*/*', name.toLowerCase(), value], `${name} stands 2 times; send it once`);
    });
  }

  test('and shows no more than 60 characters of it', () => {
    refusal(['X-Crawlera-Cookies', 'a'.repeat(61)], `is "${'a'.repeat(60)}"; it takes enable, disable, discard`);
  });
});
