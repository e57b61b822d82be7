import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DirectiveSources, namesSession, readDirectives, sentSessionId } from '../../src/protocol/directives.js';
import { HEADER, ZYTE_HEADER } from '../../src/protocol/header-names.js';
import { GatewayError } from '../../src/sessions/errors.js';

const UUID = '1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b';

/** What a request says that says nothing. */
const NOTHING = {
  dialect: 'spm',
  session: undefined,
  traits: { country: undefined, state: undefined, city: undefined, pacing: undefined, bancheck: true },
  bancheck: true,
  maxRetries: undefined,
  responseTimeoutMs: undefined,
  cookies: undefined,
  profile: undefined,
  profilePass: new Set(),
  userAgent: undefined,
  useHttps: false,
  debug: { requestTime: false, userAgent: false },
  jobId: undefined,
  client: undefined,
};

function read(given: Partial<DirectiveSources>): ReturnType<typeof readDirectives> {
  return readDirectives({ headers: [], password: '', ...given });
}

function errorOf(given: Partial<DirectiveSources>): GatewayError {
  try {
    read(given);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('Nothing was refused');
}

describe('a request that says nothing asks for nothing', () => {
  for (const [name, headers, password] of [
    ['bare', [], ''],
    ['with fields of its own', ['Accept', '*/*', 'Session', '1', 'X-Crawler-Session', '1'], 'dummy'],
    ['with headers that nobody knows', ['X-Crawlera-Wait', '5', 'x-crawlera-nonsense', '', 'X-Crawlera-Wait', ''], ''],
  ] as const) {
    test(name, () => expect(read({ headers, password })).toStrictEqual(NOTHING));
  }

  test('with headers of the other dialect that nobody knows', () => {
    const headers = ['Zyte-IPType', 'residential', 'Zyte-Tags', '{}'];
    expect(read({ headers })).toStrictEqual({ ...NOTHING, dialect: 'zyte' });
  });
});

describe('the session a request asks for', () => {
  for (const [name, headers, password, session] of [
    ['a new one', ['X-Crawlera-Session', 'create'], '', { kind: 'create' }],
    ['a new one, in any case', ['x-crawlera-session', ' CREATE '], '', { kind: 'create' }],
    ['one by ID', ['X-Crawlera-Session', '123'], '', { kind: 'id', id: '123' }],
    ['one by ID in the credentials', [], 'session-123', { kind: 'id', id: '123' }],
    ['one by name', [], 'session-a1', { kind: 'name', name: 'a1' }],
    ['one whose ID the client chose', ['Zyte-Session-ID', UUID], '', { kind: 'chosen', id: UUID }],
    [
      'that of the header before that of the credentials',
      ['X-Crawlera-Session', '1'],
      'session-a',
      { kind: 'id', id: '1' },
    ],
    ['that of either header', ['Zyte-Session-ID', UUID], 'session-a', { kind: 'chosen', id: UUID }],
    [
      'that of the credentials beside other headers',
      ['Zyte-Device', 'mobile'],
      'session-a',
      { kind: 'name', name: 'a' },
    ],
    [
      'none, where both dialects are spoken and only the other names one',
      ['Zyte-Session-ID', UUID, 'X-Crawlera-UA', 'pass'],
      '',
      undefined,
    ],
  ] as const) {
    test(`is ${name}`, () => expect(read({ headers, password }).session).toEqual(session));
  }

  for (const [name, headers, words] of [
    ['empty', ['X-Crawlera-Session', ''], 'X-Crawlera-Session is ""; it takes "create" or an ID'],
    ['a name', ['X-Crawlera-Session', 'checkout'], 'X-Crawlera-Session is "checkout"'],
    ['repeated', ['X-Crawlera-Session', '1', 'x-crawlera-session', '1'], 'X-Crawlera-Session stands 2 times'],
    ['endless', ['X-Crawlera-Session', '1'.repeat(51)], `"${'1'.repeat(51)}"`],
    ['endless nonsense', ['X-Crawlera-Session', 'a'.repeat(100)], `"${'a'.repeat(60)}"`],
  ] as const) {
    test(`is bad_session_id where the header is ${name}`, () => {
      expect(errorOf({ headers })).toMatchObject({
        code: 'bad_session_id',
        message: expect.stringContaining(words) as string,
      });
    });
  }

  for (const [name, value] of [
    ['X-Crawlera-Timeout', 'soon'],
    ['X-Crawlera-Region', 'usa'],
    ['X-Crawlera-No-Bancheck', '1'],
  ] as const) {
    test(`is told as bad after a bad ${name}`, () => {
      const headers = ['X-Crawlera-Session', 'checkout', name, value, name, value]; // Twice is bad for all of them.
      expect(errorOf({ headers }).code).toBe('bad_header');
    });
  }

  for (const [headers, password, id] of [
    [['X-Crawlera-Session', '123'], '', '123'],
    [['Zyte-Session-ID', UUID.toUpperCase()], '', UUID],
    [[], 'session-9', '9'],
    [[], 'session-a', undefined],
    [['X-Crawlera-Session', 'create'], '', undefined],
    [[], '', undefined],
  ] as const) {
    test(`is echoed as ${id} after ${JSON.stringify([...headers, password])}`, () => {
      expect(sentSessionId(read({ headers, password }))).toBe(id);
    });
  }
});

describe('credentials', () => {
  test('say what a session to be made is like', () => {
    expect(read({ password: 'country-us,pacing-client,bancheck-off' })).toEqual({
      ...NOTHING,
      traits: { country: 'us', pacing: 'client', bancheck: false },
      bancheck: false,
    });
  });

  test('that cannot be read are refused', () => {
    expect(errorOf({ password: 'sesion-a' })).toMatchObject({ code: 'bad_header' });
  });

  test('that switch off ban checks do so for every session that is made, a header for one request', () => {
    const headers = ['X-Crawlera-No-Bancheck', '1'];
    expect(read({ headers })).toMatchObject({ bancheck: false, traits: { bancheck: true } });
    expect(read({ password: 'bancheck-off' })).toMatchObject({ bancheck: false, traits: { bancheck: false } });
  });
});

describe('what stands on the CONNECT counts', () => {
  test('where the request has no field of that name', () => {
    const defaults = ['X-Crawlera-Session', '1', 'X-Crawlera-Cookies', 'discard', 'X-Crawlera-Profile', 'mobile'];
    const headers = ['x-crawlera-session', '2', 'X-CRAWLERA-PROFILE', 'pass'];
    expect(read({ headers, defaults })).toEqual({
      ...NOTHING,
      session: { kind: 'id', id: '2' },
      cookies: 'discard',
      profile: 'pass',
    });
  });

  test('as one with the request, where a header stands there once each', () => {
    const defaults = ['X-Crawlera-Timeout', 'soon', 'X-Crawlera-Timeout', 'later'];
    expect(read({ headers: ['X-Crawlera-Timeout', '60000'], defaults }).responseTimeoutMs).toBe(60_000);
    expect(errorOf({ defaults }).message).toBe('X-Crawlera-Timeout stands 2 times; send it once');
  });

  test('for the dialect, too', () => {
    const defaults = ['X-Crawlera-Client', 'a/1'];
    expect(read({ headers: ['Zyte-Device', 'mobile'], defaults }).profile).toBeUndefined();
  });

  test('less than the request and more than the credentials, whatever the three say', () => {
    const id = fc.option(fc.bigInt({ min: 1n, max: 10n ** 15n }).map(String), { nil: undefined });
    fc.assert(
      fc.property(id, id, id, (own, connect, credentials) => {
        const field = (value: string | undefined): string[] => (value === undefined ? [] : [HEADER.session, value]);
        const { session } = readDirectives({
          headers: ['Host', 'a', ...field(own)],
          defaults: ['Host', 'b', ...field(connect)],
          password: credentials === undefined ? '' : `session-${credentials}`,
        });
        const expected = own ?? connect ?? credentials;
        expect(session).toEqual(expected === undefined ? undefined : { kind: 'id', id: expected });
      }),
    );
  });
});

describe('where an outgoing IP is to be', () => {
  for (const [name, headers, password, traits] of [
    ['two letters', ['X-Crawlera-Region', 'US'], '', { country: 'us' }],
    ['the header before the credentials', ['X-Crawlera-Region', ' de '], 'country-us', { country: 'de' }],
    [
      'a state and a city',
      ['X-Crawlera-State', 'New York', 'X-Crawlera-City', 'Ithaca'],
      'country-us',
      { country: 'us', state: 'new york', city: 'ithaca' },
    ],
    ['in the other dialect', ['Zyte-Geolocation', 'FR'], 'country-us', { country: 'fr' }],
    ['in the credentials, beside a session', [], 'session-a,country-us', { country: 'us' }],
    [
      'in the credentials, beside a session in a header',
      ['X-Crawlera-Session', 'create'],
      'country-us',
      { country: 'us' },
    ],
    [
      'in the other dialect, beside a session',
      ['Zyte-Geolocation', 'fr', 'Zyte-Session-ID', UUID],
      '',
      { country: 'fr' },
    ],
    [
      'in the other dialect, beside a session in the credentials',
      ['Zyte-Geolocation', 'fr'],
      'session-1',
      { country: 'fr' },
    ],
  ] as const) {
    test(`is read: ${name}`, () => expect(read({ headers, password }).traits).toEqual({ ...traits, bancheck: true }));
  }

  for (const [name, headers, password, words] of [
    [
      'one by ID',
      ['X-Crawlera-Session', '1', 'X-Crawlera-Region', 'us'],
      '',
      "X-Crawlera-Region can't stand beside X-Crawlera-Session",
    ],
    [
      'a new one',
      ['X-Crawlera-Region', 'us', 'X-Crawlera-Session', 'create'],
      '',
      "X-Crawlera-Region can't stand beside X-Crawlera-Session",
    ],
    [
      'one by name',
      ['X-Crawlera-Region', 'us'],
      'session-a',
      "X-Crawlera-Region can't stand beside a session in the proxy password",
    ],
    ['one by ID in the credentials', ['X-Crawlera-Region', 'us'], 'session-1', 'a session in the proxy password'],
    [
      'one of the other dialect',
      ['X-Crawlera-Region', 'us', 'Zyte-Session-ID', UUID],
      '',
      "X-Crawlera-Region can't stand beside Zyte-Session-ID",
    ],
    [
      'one, if it is a state',
      ['X-Crawlera-State', 'ny', 'X-Crawlera-Session', '1'],
      '',
      "X-Crawlera-State can't stand beside X-Crawlera-Session",
    ],
    [
      'one, if it is all three',
      ['X-Crawlera-City', 'a', 'X-Crawlera-State', 'ny', 'X-Crawlera-Region', 'us'],
      'session-a',
      "X-Crawlera-Region, X-Crawlera-State, X-Crawlera-City can't stand",
    ],
  ] as const) {
    test(`is refused beside a session: ${name}`, () => {
      expect(errorOf({ headers, password })).toMatchObject({
        code: 'bad_header',
        message: expect.stringContaining(words) as string,
      });
    });
  }

  test('is refused beside a session if one of them stands on the CONNECT', () => {
    const given = { headers: ['X-Crawlera-Session', '1'], defaults: ['X-Crawlera-Region', 'us'] };
    expect(errorOf(given).code).toBe('bad_header');
  });

  for (const [name, headers, password, country] of [
    ['nothing to a session by ID', ['X-Crawlera-Session', '1', 'X-Crawlera-Region', 'us'], '', undefined],
    ['nothing to a session by ID in the credentials', ['X-Crawlera-Region', 'us'], 'session-1', undefined],
    [
      'nothing to a session by ID that the credentials do not say',
      ['X-Crawlera-Region', 'us'],
      'session-1,country-de',
      'de',
    ],
    ['where a new session leaves', ['X-Crawlera-Session', 'create', 'X-Crawlera-Region', 'us'], '', 'us'],
    ['where a session by name leaves, once it is made', ['X-Crawlera-Region', 'us'], 'session-a,country-de', 'us'],
    ['where a request without a session leaves', ['X-Crawlera-Region', 'us'], '', 'us'],
  ] as const) {
    test(`says, if conflicts are ignored, ${name}`, () => {
      expect(read({ headers, password, regionConflict: 'ignore' }).traits.country).toBe(country);
    });
  }

  test('is refused if it is malformed, even where it would be ignored', () => {
    const headers = ['X-Crawlera-Session', '1', 'X-Crawlera-Region', 'usa'];
    expect(errorOf({ headers, regionConflict: 'ignore' }).code).toBe('bad_header');
  });
});

describe('a CONNECT', () => {
  for (const [headers, password, isNamed] of [
    [[], '', false],
    [['X-Crawlera-Profile', 'pass', 'Zyte-Device', 'mobile'], 'country-us', false],
    [[], 'session', false],
    [[], 'sesion-a', false],
    [[], 'sessions-a', false],
    [[], '%zz', false],
    [['X-Crawlera-Session', '1'], '', true],
    [['x-crawlera-session', 'create'], '', true],
    [['X-Crawlera-Session', ''], '', true],
    [['X-Crawlera-Session', '1', 'X-Crawlera-Session', '2'], '', true],
    [['Zyte-Session-ID', 'nonsense'], '', true],
    [['Zyte-Session-ID', UUID, 'X-Crawlera-Profile', 'pass'], '', true],
    [[], 'session-a', true],
    [[], 'country-us,session-1', true],
    [[], 'session%2Da', true],
    [[], 'session-', true],
    [[], 'session,country-us', true],
    [[], 'session-a,nonsense', true],
    [[], 'session-%zz', true],
  ] as const) {
    test(`names ${isNamed ? 'a' : 'no'} session with ${JSON.stringify([...headers, password])}`, () => {
      expect(namesSession({ headers, password })).toBe(isNamed);
    });
  }
});

describe('whatever is sent', () => {
  const names = [...Object.values(HEADER), ...Object.values(ZYTE_HEADER), 'X-Crawlera-Wait', 'Zyte-Tags', 'Host', ''];
  const values = ['', 'create', '1', '-1', '1.5', 'us', 'pass', 'mobile', 'auto', 'enable', ',', 'a, b', UUID];
  const field = fc.tuple(
    fc.oneof(fc.constantFrom(...names), fc.string()),
    fc.oneof(fc.constantFrom(...values), fc.string(), fc.string({ unit: 'binary' })),
  );
  const raw = fc.array(field, { maxLength: 6 }).map((fields) => fields.flat());
  const password = fc.oneof(
    fc.constantFrom('', 'session-a', 'session-1,country-us', 'bancheck-off', 'session-%zz'),
    fc.string(),
  );
  const regionConflict = fc.constantFrom('refuse' as const, 'ignore' as const);
  const sources = fc.record({ headers: raw, defaults: raw, password, regionConflict });

  test('is read within its limits, or refused with one of two codes', () => {
    fc.assert(
      fc.property(sources, (given) => {
        try {
          const { maxRetries = 0, responseTimeoutMs = 30_000, jobId = '', client = '', traits } = readDirectives(given);
          expect([0, 1, 2, 3, 4, 5]).toContain(maxRetries);
          expect(responseTimeoutMs).toBeGreaterThanOrEqual(30_000);
          expect(responseTimeoutMs).toBeLessThanOrEqual(180_000);
          for (const text of [jobId, client]) expect(text).toMatch(/^\P{Cc}{0,200}$/u);
          expect(traits.country ?? 'us').toMatch(/^[a-z]{2}$/);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
          expect(['bad_header', 'bad_session_id']).toContain((error as GatewayError).code);
          expect((error as GatewayError).message.length).toBeLessThan(300);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a CONNECT whose session can be read names it', () => {
    fc.assert(
      fc.property(sources, ({ headers, password: given }) => {
        const isNamed = namesSession({ headers, password: given });
        try {
          if (readDirectives({ headers, password: given }).session !== undefined) expect(isNamed).toBe(true);
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
          if (error.code === 'bad_session_id') expect(isNamed).toBe(true);
        }
      }),
    );
  });
});
