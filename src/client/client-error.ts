// The one error of the client, and how the failures of `fetch` are put into the protocol's words.

/** What goes with an error of the client. */
export interface SessionsClientErrorDetails {
  readonly code: string;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
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
  /** When to try again, in milliseconds from then, where the gateway said so. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { code, status, retryAfterMs, cause }: SessionsClientErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

const NOT_TLS = { code: 'send_failed', told: 'it speaks plain http on this port, not https; write http://' } as const;

const FAILURES: Readonly<Record<string, { readonly code: string; readonly told: string }>> = {
  ECONNREFUSED: { code: 'econnrefused', told: 'connection refused; is `session-proxy serve` running?' },
  ECONNRESET: { code: 'econnreset', told: 'it closed the connection' },
  UND_ERR_SOCKET: { code: 'econnreset', told: 'it closed the connection' },
  ENOTFOUND: { code: 'nxdomain', told: 'its name is not known' },
  EAI_AGAIN: { code: 'nxdomain', told: 'its name could not be looked up' },
  ETIMEDOUT: { code: 'timeout', told: 'the connection timed out' },
  UND_ERR_CONNECT_TIMEOUT: { code: 'timeout', told: 'the connection timed out' },
  // What plain http is taken for depends on the version of OpenSSL.
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
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
  return new SessionsClientError(told(tellReason(reason, url)), { code: 'send_failed', cause: error });
}

/** Tells a failure without a code that we know, on one line. */
function tellReason(reason: unknown, url: string): string {
  const text = reason instanceof Error ? reason.message.replaceAll(/\s+/g, ' ').trim() : '';
  // `fetch` makes a failure without a word of an answer of 407, see https://fetch.spec.whatwg.org/#http-network-or-cache-fetch
  if (text === '') {
    return 'the call failed without a reason, as it does on a 407; is the API key right, and is this a gateway?';
  }
  // This failure has no code: https://github.com/nodejs/undici/blob/v6.21.0/lib/web/fetch/index.js "bad port"
  if (text === 'bad port') {
    const { port } = new URL(url);
    return `fetch does not allow port ${port}, for it belongs to another protocol; choose another port for the gateway`;
  }
  return text;
}

function nodeCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
