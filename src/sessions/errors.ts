// The one error class, and the closed union of codes a request can end with: the protocol's own words. Which status
// and text each has on the wire is settled in `protocol/wire-errors.ts`.

/** Every code a client can meet in `X-Crawlera-Error`. */
export type ErrorCode =
  | 'bad_session_id'
  | 'user_session_limit'
  | 'bad_uri'
  | 'bad_auth'
  | 'bad_proxy_auth'
  | 'bad_request'
  | 'request_too_large'
  | 'headers_too_large'
  | 'too_many_conns'
  | 'internal_error'
  | 'nxdomain'
  | 'ehostunreach'
  | 'econnrefused'
  | 'econnreset'
  | 'socket_closed_remotely'
  | 'send_failed'
  | 'bad_cert'
  | 'client_conn_closed'
  | 'noslaves'
  | 'banned'
  | 'serverbusy'
  | 'timeout'
  | 'domain_forbidden'
  | 'bad_header'
  | 'data_error';

/**
 * Whose fault a failure on the way out is, where that is known; the client is not told. `target`: the upstream did its
 * part. The others are the upstream's: it `refused` the connection or showed a bad certificate, it was `unreached` (no
 * such name, no route, no connection in time), it wants other `credentials`, or it `failed` once it was reached.
 */
export type Blame = 'target' | 'refused' | 'unreached' | 'credentials' | 'failed';

/** What may go with an error. */
export interface ErrorDetails {
  /** When to try again, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
  /** The calculated delay where the client is to be told it, in milliseconds. */
  readonly nextRequestInMs?: number | undefined;
  readonly blame?: Blame | undefined;
  readonly cause?: unknown;
}

/**
 * A request that ends with an answer of the gateway's own. The message says what was wrong, with which value, and
 * what to do; it is sent to the client, so it never holds a key or password.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly nextRequestInMs: number | undefined;
  readonly blame: Blame | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.nextRequestInMs = details.nextRequestInMs;
    this.blame = details.blame;
  }
}
