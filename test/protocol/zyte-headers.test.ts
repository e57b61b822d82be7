import { describe, expect, test } from 'vitest';
import { dialectOf } from '../../src/protocol/dialect.js';
import { readDirectives } from '../../src/protocol/directives.js';

const UUID = '1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b';

function read(headers: readonly string[]): ReturnType<typeof readDirectives> {
  return readDirectives({ headers, password: '' });
}

describe('a request speaks', () => {
  for (const [dialect, headers, defaults] of [
    ['spm', [], []],
    ['spm', ['Accept', '*/*', 'X-Zyte-Device', 'mobile'], []],
    ['spm', ['X-Crawlera-Session', '1'], []],
    ['spm', ['Zyte-Session-ID', UUID, 'x-crawlera-nonsense', ''], []],
    ['spm', ['Zyte-Session-ID', UUID], ['X-Crawlera-Client', 'a/1']],
    ['spm', ['X-Crawlera-Client', 'a/1'], ['Zyte-Device', 'mobile']],
    ['zyte', ['Zyte-Session-ID', UUID], []],
    ['zyte', ['ZYTE-NONSENSE', ''], ['Host', 'a']],
    ['zyte', [], ['zyte-device', 'mobile']],
  ] as const) {
    test(`${dialect} with ${JSON.stringify([headers, defaults])}`, () => {
      expect(dialectOf(headers, defaults)).toBe(dialect);
    });
  }

  test('spm where there is no CONNECT, and no field of either', () => expect(dialectOf([])).toBe('spm'));
});

describe('a field of the other dialect says', () => {
  for (const [name, value, asked] of [
    ['Zyte-Session-ID', UUID, { session: { kind: 'chosen', id: UUID } }],
    ['zyte-session-id', ` ${UUID.toUpperCase()} `, { session: { kind: 'chosen', id: UUID } }],
    ['Zyte-Device', 'desktop', { profile: 'desktop' }],
    ['Zyte-Device', 'Mobile', { profile: 'mobile' }],
    ['Zyte-Override-Headers', 'Accept, User-Agent', { profilePass: new Set(['accept', 'user-agent']) }],
    ['Zyte-Override-Headers', 'DNT', { profilePass: new Set(['dnt']) }],
    ['Zyte-Geolocation', 'DE', { traits: { country: 'de' } }],
    ['Zyte-Cookie-Management', 'auto', { cookies: 'enable' }],
    ['Zyte-Cookie-Management', 'DISCARD', { cookies: 'discard' }],
    ['Zyte-JobId', '1/2/3', { jobId: '1/2/3' }],
    ['Zyte-Client', 'scrapy-zyte-api/0.25.0', { client: 'scrapy-zyte-api/0.25.0' }],
  ] as const) {
    test(`${JSON.stringify(asked)} with ${name}: "${value}"`, () => expect(read([name, value])).toMatchObject(asked));
  }

  test('nothing, beside a field of ours', () => {
    const headers = ['Zyte-Device', 'mobile', 'Zyte-Geolocation', 'nonsense', 'X-Crawlera-Debug', 'ua'];
    expect(read(headers)).toMatchObject({ profile: undefined, traits: { country: undefined } });
  });
});

describe('a field of the other dialect is bad, and the error says what it takes:', () => {
  for (const [name, value, takes] of [
    ['Zyte-Session-ID', '123', 'a UUID of version 4'],
    ['Zyte-Session-ID', 'create', 'a UUID of version 4'],
    ['Zyte-Session-ID', '', 'a UUID of version 4'],
    ['Zyte-Session-ID', '1b4e28ba-2fa1-1d3b-a3f5-ef19b5a7633b', 'a UUID of version 4'],
    ['Zyte-Session-ID', '1b4e28ba-2fa1-4d3b-c3f5-ef19b5a7633b', 'a UUID of version 4'],
    ['Zyte-Session-ID', `${UUID}0`, 'a UUID of version 4'],
    ['Zyte-Device', 'pass', 'desktop, mobile'],
    ['Zyte-Override-Headers', 'a b', 'names of header fields'],
    ['Zyte-Geolocation', 'world', 'two letters'],
    ['Zyte-Cookie-Management', 'enable', 'auto, discard'],
    ['Zyte-JobId', '', 'a text'],
    ['Zyte-Client', '', 'a text'],
  ] as const) {
    test(`${name}: "${value}"`, () => {
      expect(() => read([name, value])).toThrow(
        expect.objectContaining({
          code: 'bad_header',
          message: expect.stringContaining(`${name} is "${value}"; it takes ${takes}`) as string,
        }),
      );
    });
  }

  test('a session ID that stands there twice', () => {
    expect(() => read(['Zyte-Session-ID', UUID, 'zyte-session-id', UUID])).toThrow(
      expect.objectContaining({ code: 'bad_header', message: 'Zyte-Session-ID stands 2 times; send it once' }),
    );
  });
});
