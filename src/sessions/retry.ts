// How often a request is sent, and after which failures it may be sent again. Through which upstream is not decided here.

import type { ErrorCode } from './errors.js';
import type { RetrySettings } from './settings.js';

/** Failures that another attempt, or another way out, may not have. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'banned',
  'econnrefused',
  'econnreset',
  'ehostunreach',
  // Told by an upstream that went down while the request waited for its slot; of the store's, no retry is made.
  'noslaves',
  'send_failed',
  'socket_closed_remotely',
  'timeout',
]);

/** Methods that may be carried out twice without another effect than once (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/**
 * How many attempts a request has, the first included: inside sessions one, unless the client asks for more.
 *
 * @param asked the number the client gave, 0 to 5
 * @see https://docs.zyte.com/smart-proxy-manager/sessions.html "Session Limits"
 */
export function attemptsOf(
  { inSession, asked }: { readonly inSession: boolean; readonly asked: number | undefined },
  { defaultRetries, headerMeans }: RetrySettings,
): number {
  if (asked === undefined) return inSession ? 1 : 1 + defaultRetries;
  return headerMeans === 'attempts' ? Math.max(1, asked) : 1 + asked;
}

/** What is known of an attempt that failed. */
export interface FailedAttempt {
  readonly code: ErrorCode;
  readonly method: string;
  readonly hasBody: boolean;
  /** Whether the target may have seen the request. */
  readonly wasSent: boolean;
}

/** Whether a request may be sent again: never one with an effect, or with a body, that the target may have seen. */
export function mayRetry({ code, method, hasBody, wasSent }: FailedAttempt): boolean {
  if (!PASSING.has(code)) return false;
  return !wasSent || (IDEMPOTENT.has(method) && !hasBody);
}
