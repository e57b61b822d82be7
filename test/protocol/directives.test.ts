import { describe, expect, test } from 'vitest';
import { readDirectives } from '../../src/protocol/directives.js';

const plain = { country: undefined, pacing: undefined, bancheck: true };

describe('the session a request asks for', () => {
  for (const [name, headers, password, session] of [
    ['none', [], '', undefined],
    ['a new one', ['X-Crawlera-Session', 'create'], '', { kind: 'create' }],
    ['a new one, in any case', ['x-crawlera-session', ' CREATE '], '', { kind: 'create' }],
    ['one by ID', ['X-Crawlera-Session', '123'], '', { kind: 'id', id: '123' }],
    ['one by ID in the credentials', [], 'session-123', { kind: 'id', id: '123' }],
    ['one by name', [], 'session-a1', { kind: 'name', name: 'a1' }],
    ['the header goes before the credentials', ['X-Crawlera-Session', '123'], 'session-a', { kind: 'id', id: '123' }],
  ] as const) {
    test(`is ${name}`, () => expect(readDirectives({ headers, password })).toEqual({ session, traits: plain }));
  }

  for (const [name, headers] of [
    ['empty', ['X-Crawlera-Session', '']],
    ['a name', ['X-Crawlera-Session', 'checkout']],
    ['repeated', ['X-Crawlera-Session', '1', 'x-crawlera-session', '1']],
    ['endless', ['X-Crawlera-Session', '1'.repeat(51)]],
  ] as const) {
    test(`is bad_session_id where the header is ${name}`, () => {
      expect(() => readDirectives({ headers, password: '' })).toThrow(
        expect.objectContaining({ code: 'bad_session_id' }),
      );
    });
  }
});

test('the traits of a session to be made come from the credentials', () => {
  const { traits } = readDirectives({ headers: [], password: 'country-us,pacing-client,bancheck-off' });
  expect(traits).toEqual({ country: 'us', pacing: 'client', bancheck: false });
});
