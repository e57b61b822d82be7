import { describe, expect, test } from 'vitest';
import { readBasicAuth } from '../../src/protocol/basic-auth.js';

const encode = (text: string): string => Buffer.from(text).toString('base64');

describe('Basic credentials', () => {
  for (const [name, value, read] of [
    ['a user without password', `Basic ${encode('key:')}`, { user: 'key', password: '' }],
    ['a user without colon', `Basic ${encode('key')}`, { user: 'key', password: '' }],
    ['a password with colons', `Basic ${encode('key:a:b')}`, { user: 'key', password: 'a:b' }],
    ['another case and more space', `  bAsIc   ${encode('key:x')}  `, { user: 'key', password: 'x' }],
    [
      'the URL alphabet',
      `Basic ${encode('key:?>?>').replaceAll('+', '-').replaceAll('/', '_')}`,
      { user: 'key', password: '?>?>' },
    ],
    ['nothing', undefined, undefined],
    ['another scheme', 'Bearer abc', undefined],
    ['no base64', 'Basic %%%', undefined],
    ['no credentials', 'Basic ', undefined],
  ] as const) {
    test(name, () => expect(readBasicAuth(value)).toEqual(read));
  }
});
