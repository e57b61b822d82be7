// One map from what Node reports to what the client is told. Messages name the target, never credentials: the `what`
// a caller hands in has none, and of the error itself only the code is repeated.

import { GatewayError } from '../sessions/errors.js';
import type { Blame, ErrorCode } from '../sessions/errors.js';
import type { GiveUp } from './upstream.js';

type Told = readonly [code: ErrorCode, words: string];

const NAME_NOT_FOUND: Told = ['nxdomain', 'the name was not found'];
const UNREACHABLE: Told = ['ehostunreach', 'no route'];
const TIMED_OUT: Told = ['timeout', 'no answer in time'];
const RESET: Told = ['econnreset', 'the connection was reset'];
const UNSENDABLE: Told = ['bad_request', 'the request has characters that HTTP does not allow there'];

const TOLD: ReadonlyMap<string, Told> = new Map([
  ['ENOTFOUND', NAME_NOT_FOUND],
  ['EAI_AGAIN', NAME_NOT_FOUND],
  ['EAI_FAIL', NAME_NOT_FOUND],
  ['EAI_NODATA', NAME_NOT_FOUND],
  ['EAI_NONAME', NAME_NOT_FOUND],
  ['ENODATA', NAME_NOT_FOUND],
  ['EHOSTUNREACH', UNREACHABLE],
  ['ENETUNREACH', UNREACHABLE],
  ['EHOSTDOWN', UNREACHABLE],
  ['ENETDOWN', UNREACHABLE],
  ['ECONNREFUSED', ['econnrefused', 'the connection was refused']],
  ['ECONNRESET', RESET],
  ['ECONNABORTED', RESET],
  ['EPIPE', RESET],
  ['ETIMEDOUT', TIMED_OUT],
  ['ESOCKETTIMEDOUT', TIMED_OUT],
  ['ERR_SOCKET_CONNECTION_TIMEOUT', TIMED_OUT],
  ['ABORT_ERR', ['client_conn_closed', 'the request was given up']],
  ['EADDRNOTAVAIL', ['send_failed', 'the address to leave from is not one of this machine, or has no free port']],
  ['HPE_HEADER_OVERFLOW', ['send_failed', 'the head of the answer is too large']],
  ['ERR_INVALID_CHAR', UNSENDABLE],
  ['ERR_UNESCAPED_CHARACTERS', UNSENDABLE],
  ['ERR_INVALID_HTTP_TOKEN', UNSENDABLE],
  ['ERR_HTTP_TRAILER_INVALID', ['bad_request', 'Trailer needs a chunked body']],
] satisfies (readonly [string, Told])[]);

/**
 * Makes the error a client is told.
 *
 * @param error what was caught; a GatewayError comes back unchanged
 * @param what  the attempt, as the beginning of a sentence: `Connecting to example.com:80`
 */
export function toGatewayError(error: unknown, what: string): GatewayError {
  const one = unwrap(error);
  if (one instanceof GatewayError) return one;
  const errno = codeOf(one) ?? '';
  const [code, words] = isPrematureEnd(one) ? ENDED : (TOLD.get(errno) ?? otherwise(one, errno));
  // A parse error drags the bytes it met along; they would fill the log.
  const cause = errno.startsWith('HPE_') ? undefined : one;
  return new GatewayError(code, `${what} failed: ${words}${errno === '' ? '' : ` (${errno})`}`, {
    cause,
    blame: isBindFailure(one) ? 'failed' : undefined,
  });
}

/**
 * Says of an error whose fault it is, unless that is known already.
 *
 * @param error what was caught; one that is no GatewayError becomes one
 * @param signal what the attempt was given; if that was given up, and not because time was up, nobody is to blame
 * @returns an error with the same code and text
 */
export function blamed(error: unknown, attempt: { what: string; signal: GiveUp; blame: Blame }): GatewayError {
  const told = toGatewayError(error, attempt.what);
  if (told.blame !== undefined || (attempt.signal.aborted && told.code !== 'timeout')) return told;
  return withBlame(told, attempt.blame);
}

/** The same error, with whose fault it is. */
export function withBlame(error: GatewayError, blame: Blame): GatewayError {
  const { code, message, cause, retryAfterMs, nextRequestInMs } = error;
  return new GatewayError(code, message, { cause, retryAfterMs, nextRequestInMs, blame });
}

/** Makes the error of something that was given up: the signal's own reason if it is a GatewayError. */
export function abortError(signal: GiveUp, what: string): GatewayError {
  const { reason } = signal;
  if (reason instanceof GatewayError) return reason;
  return new GatewayError('client_conn_closed', `${what} was given up`, { cause: reason });
}

/** Whether the other side closed or reset the connection. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ECONNRESET' || code === 'EPIPE';
}

const ENDED: Told = ['socket_closed_remotely', 'the connection was closed before the answer'];

/** Whether the address to leave from was the trouble; a target's address that can't be connected to has the same codes. */
function isBindFailure(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'bind';
}

/** Node calls an end of stream where an answer was due ECONNRESET too; only a real reset names a system call. */
function isPrematureEnd(error: unknown): boolean {
  return codeOf(error) === 'ECONNRESET' && !(error instanceof Error && 'syscall' in error);
}

function otherwise(error: unknown, errno: string): Told {
  if (errno.startsWith('HPE_')) {
    // One of the parser's fixed texts.
    const reason = error instanceof Error && 'reason' in error ? `: ${String(error.reason)}` : '';
    return ['send_failed', `the answer is not valid HTTP${reason}`];
  }
  return ['send_failed', 'the connection could not be used'];
}

/** Of several addresses tried, the failure that says most: one that was reached, else the first. */
function unwrap(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error;
  const errors: readonly unknown[] = error.errors;
  return errors.find((one) => TOLD.get(codeOf(one) ?? '') !== UNREACHABLE) ?? errors[0] ?? error;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
