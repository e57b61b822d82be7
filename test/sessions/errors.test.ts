import { expect, test } from 'vitest';
import { GatewayError } from '../../src/sessions/errors.js';

test('an error keeps its code, its times and its cause', () => {
  const cause = new Error('why');
  const error = new GatewayError('serverbusy', 'Busy', { retryAfterMs: 5, nextRequestInMs: 6, cause });
  expect(error).toMatchObject({ code: 'serverbusy', retryAfterMs: 5, nextRequestInMs: 6, cause, message: 'Busy' });
  expect(new GatewayError('banned', 'Banned').cause).toBeUndefined();
});
