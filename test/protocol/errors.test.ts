import { describe, expect, test } from 'vitest';
import { fieldsOf } from '../../src/protocol/raw-headers.js';
import { wireSeconds, WIRE_ERRORS } from '../../src/protocol/wire-errors.js';
import { ZYTE_PROBLEMS, zyteAnswer } from '../../src/protocol/zyte-errors.js';
import type { ErrorCode } from '../../src/sessions/errors.js';

/** Per code: its status, and its status and problem in the other dialect. */
const TABLE: Readonly<Record<ErrorCode, readonly [status: number, zyteStatus: number, type: string]>> = {
  bad_session_id: [400, 422, '/problem/session-expired'],
  user_session_limit: [400, 422, '/problem/over-session-limit'],
  bad_request: [400, 400, '/request/invalid'],
  bad_uri: [401, 400, '/request/invalid'],
  bad_auth: [401, 401, '/auth/key-not-found'],
  bad_proxy_auth: [407, 407, '/auth/proxy-auth-not-valid'],
  request_too_large: [413, 400, '/request/invalid'],
  headers_too_large: [413, 431, '/request/header-size'],
  too_many_conns: [429, 429, '/limits/over-user-limit'],
  internal_error: [500, 500, '/server/internal'],
  nxdomain: [502, 521, '/download/internal-error'],
  ehostunreach: [502, 521, '/download/internal-error'],
  econnrefused: [502, 521, '/download/internal-error'],
  econnreset: [502, 521, '/download/internal-error'],
  socket_closed_remotely: [502, 521, '/download/internal-error'],
  send_failed: [502, 521, '/download/internal-error'],
  bad_cert: [502, 521, '/download/internal-error'],
  client_conn_closed: [503, 521, '/download/internal-error'],
  noslaves: [503, 503, '/limits/over-global-limit'],
  banned: [503, 520, '/download/temporary-error'],
  serverbusy: [503, 503, '/limits/over-global-limit'],
  timeout: [504, 521, '/download/internal-error'],
  domain_forbidden: [523, 451, '/download/domain-forbidden'],
  bad_header: [540, 400, '/request/invalid'],
  data_error: [541, 521, '/download/internal-error'],
};

const rows = Object.entries(TABLE) as [ErrorCode, (typeof TABLE)[ErrorCode]][];

describe('an error on the wire', () => {
  for (const [code, [status, zyteStatus, type]] of rows) {
    test(`${code} is ${status}, and in the other dialect ${zyteStatus} ${type}`, () => {
      expect(WIRE_ERRORS[code].status).toBe(status);
      expect(ZYTE_PROBLEMS[code]).toMatchObject({ status: zyteStatus, type });
    });
  }

  test('has a reason phrase that fits on a status line, in either dialect', () => {
    for (const [code] of rows) {
      expect(WIRE_ERRORS[code].reason).toMatch(/^[A-Z][A-Za-z ]+$/);
      expect(zyteAnswer({ code, message: '' }).reason).toMatch(/^[A-Z][A-Za-z ]+$/);
    }
  });

  test('echoes the session only where it is dead', () => {
    const echoing = rows.filter(([code]) => WIRE_ERRORS[code].echoesSession);
    expect(echoing.map(([code]) => code)).toEqual(['bad_session_id', 'banned']);
  });

  for (const [milliseconds, seconds] of [
    [0, 0],
    [1, 1],
    [1000, 1],
    [1001, 2],
    [912_000, 912],
  ] as const) {
    test(`tells ${milliseconds} ms as ${seconds} s`, () => expect(wireSeconds(milliseconds)).toBe(seconds));
  }
});

describe('a problem', () => {
  test('is told in two fields and in a JSON body, whose length is in bytes', () => {
    const answer = zyteAnswer({ code: 'bad_session_id', message: 'No session "é"\r\nhere' });
    expect(answer).toMatchObject({ status: 422, reason: 'Session expired' });
    expect([...fieldsOf(answer.headers)]).toEqual([
      ['Zyte-Error-Type', '/problem/session-expired'],
      ['Zyte-Error-Title', 'Session expired'],
      ['Content-Type', 'application/problem+json'],
      ['Content-Length', String(Buffer.byteLength(answer.body))],
    ]);
    expect(JSON.parse(answer.body)).toEqual({
      type: '/problem/session-expired',
      title: 'Session expired',
      status: 422,
      detail: 'No session "é"\r\nhere',
    });
    expect(answer.body).not.toContain('\n');
  });
});
