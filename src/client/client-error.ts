// The one error of the client, and how the failures of `fetch` are put into the protocol's words.

/** What goes with an error of the client. */
export interface SessionsClientErrorDetails {
  readonly code: string;
  readonly status?: number | undefined;
  readonly cause?: unknown;
}

/** A call that did not do what it was to do. The message names the gateway, never the API key. */
export class SessionsClientError extends Error {
  override readonly name = 'SessionsClientError';
  /**
   * What the gateway told (`bad_auth`, `bad_session_id`, `user_session_limit`, …); where there was no answer one of
   * `econnrefused`, `econnreset`, `nxdomain`, `timeout`, `send_failed`; where it is none of a gateway's
   * `unexpected_answer`.
   */
  readonly code: string;
  /** Status of the answer; undefined where there was none. */
  readonly status: number | undefined;

  constructor(message: string, { code, status, cause }: SessionsClientErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
  }
}

const FAILURES: Readonly<Record<string, { readonly code: string; readonly told: string }>> = {
  ECONNREFUSED: { code: 'econnrefused', told: 'connection refused; is `session-proxy serve` running?' },
  ECONNRESET: { code: 'econnreset', told: 'it closed the connection' },
  UND_ERR_SOCKET: { code: 'econnreset', told: 'it closed the connection' },
  ENOTFOUND: { code: 'nxdomain', told: 'its name is not known' },
  EAI_AGAIN: { code: 'nxdomain', told: 'its name could not be looked up' },
  ETIMEDOUT: { code: 'timeout', told: 'the connection timed out' },
  UND_ERR_CONNECT_TIMEOUT: { code: 'timeout', told: 'the connection timed out' },
};

/** Puts what `fetch` rejected with into our words. `url` is that of the gateway, without the key. */
export function describeFailure(error: unknown, url: string, timeoutMs: number): SessionsClientError {
  const told = (text: string): string => `the gateway at ${url} did not answer: ${text}`;
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new SessionsClientError(told(`nothing came within ${timeoutMs} ms`), { code: 'timeout', cause: error });
  }
  const reason = error instanceof Error ? (error.cause ?? error) : error;
  const failure = FAILURES[nodeCodeOf(reason) ?? ''];
  if (failure !== undefined) return new SessionsClientError(told(failure.told), { code: failure.code, cause: error });
  // `fetch` makes a failure without a word of an answer of 407, see https://fetch.spec.whatwg.org/#http-network-or-cache-fetch
  const text =
    reason instanceof Error && reason.message !== ''
      ? reason.message
      : 'the call failed without a reason, as it does on a 407; is the API key right, and is this a gateway?';
  return new SessionsClientError(told(text), { code: 'send_failed', cause: error });
}

function nodeCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
