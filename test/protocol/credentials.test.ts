import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCredentialParameters } from '../../src/protocol/credentials.js';

describe('a proxy password', () => {
  for (const [password, parameters] of [
    ['', {}],
    ['DUMMY', {}],
    ['%zz', {}],
    ['session-checkout_7', { session: 'checkout_7' }],
    ['session-123', { session: '123' }],
    ['session-a.b~c', { session: 'a.b~c' }],
    ['session-a,country-US', { session: 'a', country: 'us' }],
    ['session%2Da%2Ccountry%2Dde', { session: 'a', country: 'de' }],
    ['pacing-client,bancheck-off', { pacing: 'client', bancheck: 'off' }],
  ] as const) {
    test(`"${password}" says ${JSON.stringify(parameters)}`, () => {
      expect(readCredentialParameters(password)).toEqual(parameters);
    });
  }

  for (const [password, words] of [
    ['sesion-a', 'Did you mean "session"?'],
    ['a-b', 'known are session, country, pacing, bancheck'],
    ['session-a,session-b', 'stands twice'],
    ['session-', 'bad value ""'],
    ['session-a,', 'Unknown parameter ""'],
    ['session-a-b', 'bad value "a-b"'],
    ['session-a b', 'bad value "a b"'],
    [`session-${'a'.repeat(51)}`, '1 to 50'],
    ['country-usa', 'two letters'],
    ['pacing-server', 'it takes client'],
    ['bancheck-on', 'it takes off'],
    ['session-a%2', 'percent escape'],
    ['session-a,dummy', 'Unknown parameter "dummy"'],
    [`session-${'b'.repeat(100)}`, `bad value "${'b'.repeat(60)}"`],
    [`${'c'.repeat(100)}-a`, `Unknown parameter "${'c'.repeat(60)}"`],
  ] as const) {
    test(`"${password}" is bad_header, which says: ${words}`, () => {
      expect(() => readCredentialParameters(password)).toThrow(
        expect.objectContaining({ code: 'bad_header', message: expect.stringContaining(words) as string }),
      );
    });
  }

  test('of any shape is read, or refused as bad_header', () => {
    fc.assert(
      fc.property(fc.string(), (password) => {
        try {
          const { session } = readCredentialParameters(password);
          if (session !== undefined) expect(session).toMatch(/^[0-9A-Za-z._~]{1,50}$/);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_header' });
        }
      }),
    );
  });
});
