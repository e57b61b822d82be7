import { describe, expect, test } from 'vitest';
import { attemptsOf, type FailedAttempt, mayRetry } from '../../src/sessions/retry.js';

describe('the attempts of a request', () => {
  for (const [name, inSession, asked, headerMeans, attempts] of [
    ['are six without a session', false, undefined, 'retries', 6],
    ['are one in a session', true, undefined, 'retries', 1],
    ['are one more than the retries asked for', false, 2, 'retries', 3],
    ['are that in a session too', true, 2, 'retries', 3],
    ['are one where no retry is asked for', false, 0, 'retries', 1],
    ['are as many as asked for, where the number means attempts', false, 2, 'attempts', 2],
    ['are one then for 0, too', true, 0, 'attempts', 1],
    ['do not depend on that where nothing is asked', false, undefined, 'attempts', 6],
  ] as const) {
    test(name, () => expect(attemptsOf({ inSession, asked }, { defaultRetries: 5, headerMeans })).toBe(attempts));
  }
});

describe('another attempt is made', () => {
  const sent: FailedAttempt = { code: 'econnreset', method: 'GET', hasBody: false, wasSent: true };
  for (const [name, attempt, expected] of [
    ['after a reset', {}, true],
    ['after a ban', { code: 'banned' }, true],
    ['after a timeout', { code: 'timeout' }, true],
    ['after its upstream went down', { code: 'noslaves', wasSent: false }, true],
    ['of a DELETE', { method: 'DELETE' }, true],
    ['not of a POST', { method: 'POST' }, false],
    ['of a POST that was not sent', { method: 'POST', hasBody: true, wasSent: false }, true],
    ['not of a PUT whose body may have been seen', { method: 'PUT', hasBody: true }, false],
    ['not after a ban of a POST', { method: 'POST', code: 'banned' }, false],
    ['not for a name that does not exist', { code: 'nxdomain', wasSent: false }, false],
    ['not for a bad certificate', { code: 'bad_cert', wasSent: false }, false],
    ['not for a client that left', { code: 'client_conn_closed' }, false],
    ['not for an answer that is too large', { code: 'data_error' }, false],
  ] as const) {
    test(name, () => expect(mayRetry({ ...sent, ...attempt })).toBe(expected));
  }
});
