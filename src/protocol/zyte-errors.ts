// What each error code looks like in the dialect of the successor: a problem with a type of its own words, in two fields
// and as a JSON body. Which requests are answered so is settled by `dialect.ts`.

import type { ErrorCode, GatewayError } from '../sessions/errors.js';
import { ZYTE_HEADER } from './header-names.js';

/** A kind of problem; `title` is its reason phrase, too, for node knows none for some of the statuses. */
export interface ZyteProblem {
  readonly status: number;
  readonly type: string;
  readonly title: string;
}

/** The problem that a code is told as, ready to be sent. */
export interface ZyteAnswer {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn: the fields of the problem, and those of the body. */
  readonly headers: readonly string[];
  readonly body: string;
}

const EXPIRED = { status: 422, type: '/problem/session-expired', title: 'Session expired' };
const OVER_SESSIONS = { status: 422, type: '/problem/over-session-limit', title: 'Too many sessions' };
const INVALID = { status: 400, type: '/request/invalid', title: 'Invalid request' };
const HEADER_SIZE = { status: 431, type: '/request/header-size', title: 'Request header too large' };
const BAD_KEY = { status: 401, type: '/auth/key-not-found', title: 'API key not found' };
const BAD_PROXY_KEY = { status: 407, type: '/auth/proxy-auth-not-valid', title: 'Proxy authentication not valid' };
const OVER_USER = { status: 429, type: '/limits/over-user-limit', title: 'Limit of the API key reached' };
const OVERLOADED = { status: 503, type: '/limits/over-global-limit', title: 'Overloaded' };
const INTERNAL = { status: 500, type: '/server/internal', title: 'Internal server error' };
const BANNED = { status: 520, type: '/download/temporary-error', title: 'Temporary download error' };
const FAILED = { status: 521, type: '/download/internal-error', title: 'Permanent download error' };
const FORBIDDEN = { status: 451, type: '/download/domain-forbidden', title: 'Domain forbidden' };

/**
 * Every code with its problem.
 *
 * @see https://docs.zyte.com/zyte-api/usage/errors.html for the problems; which code is which of them is ours
 */
export const ZYTE_PROBLEMS: Readonly<Record<ErrorCode, ZyteProblem>> = {
  bad_session_id: EXPIRED,
  user_session_limit: OVER_SESSIONS,
  bad_request: INVALID,
  bad_uri: INVALID,
  bad_auth: BAD_KEY,
  bad_proxy_auth: BAD_PROXY_KEY,
  // Ours: there is no problem for a large body, and sending it again as it is does not help.
  request_too_large: INVALID,
  headers_too_large: HEADER_SIZE,
  too_many_conns: OVER_USER,
  internal_error: INTERNAL,
  nxdomain: FAILED,
  ehostunreach: FAILED,
  econnrefused: FAILED,
  econnreset: FAILED,
  socket_closed_remotely: FAILED,
  send_failed: FAILED,
  bad_cert: FAILED,
  // Ours: it is seen in the log alone.
  client_conn_closed: FAILED,
  // Ours: no way out is a lack of capacity, of which clients of this dialect wait and ask again.
  noslaves: OVERLOADED,
  banned: BANNED,
  serverbusy: OVERLOADED,
  timeout: FAILED,
  domain_forbidden: FORBIDDEN,
  bad_header: INVALID,
  // Ours: the answer is as large the next time.
  data_error: FAILED,
};

/**
 * Tells an error as a problem: its status, its fields and its body. The fields that both dialects have, such as
 * `X-Crawlera-Error` and `Retry-After`, and the ID of the request, are added by who sends it.
 */
export function zyteAnswer(error: Pick<GatewayError, 'code' | 'message'>): ZyteAnswer {
  const { status, type, title } = ZYTE_PROBLEMS[error.code];
  const body = JSON.stringify({ type, title, status, detail: error.message });
  const problem = [ZYTE_HEADER.errorType, type, ZYTE_HEADER.errorTitle, title];
  const length = String(Buffer.byteLength(body));
  const headers = [...problem, 'Content-Type', 'application/problem+json', 'Content-Length', length];
  return { status, reason: title, headers, body };
}
