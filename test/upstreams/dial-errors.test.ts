import { describe, expect, test } from 'vitest';

import { GatewayError } from '../../src/sessions/errors.js';
import { abortError, toGatewayError } from '../../src/upstreams/dial-errors.js';

const errno = (code: string, over: object = { syscall: 'connect' }) =>
  Object.assign(new Error(`secret ${code}`), { code }, over);

describe('what Node reports', () => {
  for (const [error, code] of [
    [errno('ENOTFOUND'), 'nxdomain'],
    [errno('EAI_AGAIN'), 'nxdomain'],
    [errno('EHOSTUNREACH'), 'ehostunreach'],
    [errno('ENETUNREACH'), 'ehostunreach'],
    [errno('ECONNREFUSED'), 'econnrefused'],
    [errno('ECONNRESET', { syscall: 'read' }), 'econnreset'],
    [errno('EPIPE', { syscall: 'write' }), 'econnreset'],
    [errno('ECONNRESET', {}), 'socket_closed_remotely'],
    [errno('ETIMEDOUT'), 'timeout'],
    [errno('ERR_SOCKET_CONNECTION_TIMEOUT'), 'timeout'],
    [errno('EADDRNOTAVAIL', { syscall: 'bind' }), 'send_failed'],
    [errno('HPE_INVALID_CONSTANT'), 'send_failed'],
    [errno('HPE_HEADER_OVERFLOW'), 'send_failed'],
    [errno('ABORT_ERR'), 'client_conn_closed'],
    [errno('ESOMETHING'), 'send_failed'],
    [new Error('secret'), 'send_failed'],
    ['secret', 'send_failed'],
  ] as const) {
    const name = error instanceof Error && 'code' in error ? error.code : String(error);
    test(`${name} is ${code}, in our words and with the target`, () => {
      const told = toGatewayError(error, 'Connecting to example.test:80');
      expect(told.code).toBe(code);
      expect(told.message).toMatch(/^Connecting to example\.test:80 failed: /);
      expect(told.message).not.toContain('secret');
    });
  }

  test('of several addresses is the failure of one that was reached', () => {
    const both = new AggregateError([errno('ENETUNREACH'), errno('ECONNREFUSED')]);
    expect(toGatewayError(both, 'x')).toMatchObject({ code: 'econnrefused', cause: both.errors[1] });
    const neither = new AggregateError([errno('ENETUNREACH'), errno('EHOSTUNREACH')]);
    expect(toGatewayError(neither, 'x')).toMatchObject({ code: 'ehostunreach', cause: neither.errors[0] });
    expect(toGatewayError(new AggregateError([]), 'x')).toMatchObject({ code: 'send_failed' });
  });

  test('is kept as the cause, but for the bytes of a bad answer', () => {
    const refused = errno('ECONNREFUSED');
    expect(toGatewayError(refused, 'x').cause).toBe(refused);
    expect(toGatewayError(errno('HPE_INVALID_CONSTANT'), 'x').cause).toBe(undefined);
  });

  test('is left alone where it is a GatewayError', () => {
    const error = new GatewayError('banned', 'b');
    expect(toGatewayError(error, 'x')).toBe(error);
  });
});

test('an abort is client_conn_closed, or what its reason says', () => {
  const plain = AbortSignal.abort();
  expect(abortError(plain, 'x')).toMatchObject({ code: 'client_conn_closed', cause: plain.reason });
  const reason = new GatewayError('timeout', 't');
  expect(abortError(AbortSignal.abort(reason), 'x')).toBe(reason);
});
