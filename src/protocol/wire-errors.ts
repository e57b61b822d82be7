// What each error code looks like on the wire. The one table: status, reason phrase, and whether the answer names the
// session the client sent.

import type { ErrorCode } from '../sessions/errors.js';

/** How a code is answered. */
export interface WireError {
  readonly status: number;
  /** Reason phrase; node knows none for the statuses above 511. */
  readonly reason: string;
  /**
   * Whether the answer echoes the session ID that was sent. Clients take an echoed ID on an error as a dead session,
   * so it is done only where it is dead, at least for that site.
   */
  readonly echoesSession: boolean;
}

/**
 * Every code with its answer.
 *
 * @see https://docs.zyte.com/smart-proxy-manager/errors.html; `bad_uri`, `bad_request`, `request_too_large`,
 * `headers_too_large` and `bad_cert` are ours, where the documents leave the code open
 */
export const WIRE_ERRORS: Readonly<Record<ErrorCode, WireError>> = {
  bad_session_id: { status: 400, reason: 'Bad Request', echoesSession: true },
  user_session_limit: { status: 400, reason: 'Bad Request', echoesSession: false },
  bad_request: { status: 400, reason: 'Bad Request', echoesSession: false },
  bad_uri: { status: 401, reason: 'Unauthorized', echoesSession: false },
  bad_auth: { status: 401, reason: 'Unauthorized', echoesSession: false },
  bad_proxy_auth: { status: 407, reason: 'Proxy Authentication Required', echoesSession: false },
  request_too_large: { status: 413, reason: 'Payload Too Large', echoesSession: false },
  headers_too_large: { status: 413, reason: 'Payload Too Large', echoesSession: false },
  too_many_conns: { status: 429, reason: 'Too Many Requests', echoesSession: false },
  internal_error: { status: 500, reason: 'Internal Server Error', echoesSession: false },
  nxdomain: { status: 502, reason: 'Bad Gateway', echoesSession: false },
  ehostunreach: { status: 502, reason: 'Bad Gateway', echoesSession: false },
  econnrefused: { status: 502, reason: 'Bad Gateway', echoesSession: false },
  econnreset: { status: 502, reason: 'Bad Gateway', echoesSession: false },
  socket_closed_remotely: { status: 502, reason: 'Bad Gateway', echoesSession: false },
  send_failed: { status: 502, reason: 'Bad Gateway', echoesSession: false },
  bad_cert: { status: 502, reason: 'Bad Gateway', echoesSession: false },
  client_conn_closed: { status: 503, reason: 'Service Unavailable', echoesSession: false },
  noslaves: { status: 503, reason: 'Service Unavailable', echoesSession: false },
  banned: { status: 503, reason: 'Service Unavailable', echoesSession: true },
  serverbusy: { status: 503, reason: 'Service Unavailable', echoesSession: false },
  timeout: { status: 504, reason: 'Gateway Timeout', echoesSession: false },
  domain_forbidden: { status: 523, reason: 'Domain Forbidden', echoesSession: false },
  bad_header: { status: 540, reason: 'Bad Header', echoesSession: false },
  data_error: { status: 541, reason: 'Data Error', echoesSession: false },
};

/** Whole seconds as the wire has them, rounded up so that a client that waits them is never early. */
export function wireSeconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}
