// The errors a crawler meets, in the shapes Crawlee acts on: a session error retires the session and retries on another,
// a critical error stops the run, any other costs a retry. When which is due is settled in `gateway-answers.ts`.
//
// No message here may hold `ECONNRESET`, `ECONNREFUSED` or `Proxy responded with`: Crawlee looks for these words and
// then takes any error of an HTTP client, a critical one too, for a reason to rotate the session.
// https://github.com/apify/crawlee/blob/v3.18.1/packages/utils/src/internals/blocked.ts

import { CriticalError, NonRetryableError, RetryRequestError, SessionError } from '@crawlee/core';

/** What goes with a session error. */
export interface ProxySessionErrorDetails {
  /** The protocol's own word, such as `bad_session_id`. */
  readonly code: string;
  /** Time until the session may be used again, where the gateway told, in milliseconds. */
  readonly nextUseInMs?: number | undefined;
  readonly cause?: unknown;
}

/**
 * A gateway session that can't be used any more. Crawlee retires the Crawlee session it belonged to and tries the
 * request again with another, without counting it as one of `maxRequestRetries`.
 *
 * @example
 * ```ts
 * errorHandler({ request }, error) {
 *   if (error instanceof ProxySessionError) console.log(request.url, error.code); // 'bad_session_id'
 * }
 * ```
 */
export class ProxySessionError extends SessionError {
  override readonly name = 'ProxySessionError';
  /** The protocol's own word, such as `bad_session_id`. */
  readonly code: string;
  /** Time until the session may be used again, where the gateway told, in milliseconds. */
  readonly nextUseInMs: number | undefined;

  constructor(message: string, { code, nextUseInMs, cause }: ProxySessionErrorDetails) {
    super(message);
    this.code = code;
    this.nextUseInMs = nextUseInMs;
    withCause(this, cause);
  }
}

/** The gateway does not know the API key: nothing a retry could change. */
export function wrongApiKey(gatewayUrl: string, cause?: unknown): CriticalError {
  return withCause(
    new CriticalError(
      `The gateway at ${gatewayUrl} refused the API key. Give the key it was started with in proxyUrl: ` +
        'http://KEY:@host:port; `session-proxy key` prints it.',
    ),
    cause,
  );
}

/** Nothing answers at the gateway's address, and nothing ever did: the run can't begin. */
export function gatewayNotRunning(gatewayUrl: string, cause: unknown): CriticalError {
  return withCause(
    new CriticalError(
      `No gateway answers at ${gatewayUrl} (${reasonOf(cause)}). Start one with \`session-proxy serve\`, ` +
        'or correct the address in proxyUrl.',
    ),
    cause,
  );
}

/** The gateway answered before and does not now; it may come back, so the request is tried again as often as need be. */
export function gatewayGone(gatewayUrl: string, cause: unknown): RetryRequestError {
  return withCause(
    new RetryRequestError(`The gateway at ${gatewayUrl} does not answer any more (${reasonOf(cause)})`),
    cause,
  );
}

/** The gateway did not come back: going on would burn the queue. */
export function gatewayStaysAway(gatewayUrl: string, cause: unknown): CriticalError {
  return withCause(
    new CriticalError(
      `The gateway at ${gatewayUrl} has not answered for minutes (${reasonOf(cause)}). Start it again, then the run.`,
    ),
    cause,
  );
}

/** The gateway has no upstream for anybody, for so long that going on would burn the queue. */
export function noWayOut(gatewayUrl: string, cause: unknown): CriticalError {
  return withCause(
    new CriticalError(
      `The gateway at ${gatewayUrl} has had no usable upstream for minutes (${reasonOf(cause)}). See its log or ` +
        '`session-proxy check`, and start the run again when it has one.',
    ),
    cause,
  );
}

/** The gateway does not let anybody there: another try or another session would change nothing. */
export function targetForbidden(message: string, cause?: unknown): NonRetryableError {
  return withCause(new NonRetryableError(withoutRotationWords(message)), cause);
}

/** The gateway has no room for the request now: nothing was sent, so it is tried again as often as need be. */
export function gatewayBusy(message: string, cause?: unknown): RetryRequestError {
  return withCause(new RetryRequestError(withoutRotationWords(message)), cause);
}

/** What answers is no server of the session protocol. */
export function notAGateway(gatewayUrl: string, told: string): CriticalError {
  return new CriticalError(
    `${gatewayUrl} is no server of the session protocol: ${told}. Correct the address in proxyUrl.`,
  );
}

/** The gateway has forgotten, ended or never known this session. */
export function sessionLost(proxySessionId: string, cause?: unknown): ProxySessionError {
  return new ProxySessionError(
    `The gateway knows no session ${proxySessionId} any more: it expired, was deleted, or the gateway was restarted`,
    { code: 'bad_session_id', cause },
  );
}

/** The target has banned the session's outgoing IP, so the gateway lets nothing out there by it for a while. */
export function sessionBanned(
  proxySessionId: string,
  {
    host,
    retryAfterMs,
    cause,
  }: { readonly host: string; readonly retryAfterMs?: number | undefined; readonly cause?: unknown },
): ProxySessionError {
  return new ProxySessionError(`The outgoing IP of session ${proxySessionId} is banned at ${host}`, {
    code: 'banned',
    nextUseInMs: retryAfterMs,
    cause,
  });
}

/** The request names a Crawlee session that there is not, or not any more: no other may take its place. */
export function pinnedSessionGone(sessionId: string, url: string): NonRetryableError {
  return new NonRetryableError(
    `${url} is to go in the Crawlee session ${sessionId} (request.userData.sessionId), which was retired or never was`,
  );
}

/** The request names a Crawlee session and got another, before it was known which request the task is about. */
export function pinnedElsewhere(sessionId: string, url: string): RetryRequestError {
  return new RetryRequestError(`${url} is to go in the Crawlee session ${sessionId}; it is tried again in that one`);
}

/** The target has banned every outgoing IP that a new session could have. */
export function allBanned(
  host: string,
  { retryAfterMs, cause }: { readonly retryAfterMs: number | undefined; readonly cause: unknown },
): ProxySessionError {
  return new ProxySessionError(`Every outgoing IP of the gateway is banned at ${host}`, {
    code: 'banned',
    nextUseInMs: retryAfterMs,
    cause,
  });
}

/**
 * The gateway had lost the session, and the Crawlee session goes on with another: the request is sent again in it, by the
 * HTTP client where it may be, else by Crawlee as often as need be.
 */
export class SessionReplaced extends RetryRequestError {
  override readonly name = 'SessionReplaced';

  constructor(lostId: string, cause: unknown) {
    super(`The gateway had lost session ${lostId}; its Crawlee session goes on with another`);
    withCause(this, cause);
  }
}

/** The Crawlee session came to its end while this request was on its way. */
export function sessionEnded(crawleeSessionId: string): ProxySessionError {
  return new ProxySessionError(`The Crawlee session ${crawleeSessionId} was retired, and its gateway session with it`, {
    code: 'bad_session_id',
  });
}

/** `close()` was called. */
export function configurationClosed(): CriticalError {
  return new CriticalError('This SessionProxyConfiguration was closed: make a new one, or close it after the run');
}

/** Nothing but our HTTP client can put the header on, and the crawler has another. */
export function headersNeedPreset(): CriticalError {
  return new CriticalError(
    "transport 'headers' works with a preset only: the option proxyConfiguration alone can't set a header. For " +
      'browsers write new PlaywrightCrawler(proxyConfiguration.browserCrawlerOptions({ … })), else new CheerioCrawler(' +
      "proxyConfiguration.httpCrawlerOptions({ … })). Use httpCrawlerOptions() or transport 'credentials'.",
  );
}

/** Takes words out of a text that Crawlee would read as a reason to rotate the session. */
export function withoutRotationWords(text: string): string {
  return text
    .replaceAll('ECONNREFUSED', 'connection refused')
    .replaceAll('ECONNRESET', 'connection reset')
    .replaceAll('Proxy responded with', 'the proxy answered');
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? withoutRotationWords(cause.message) : 'no reason given';
}

/** Keeps what an error came of. An HTTP client's own error holds its options, and these the proxy URL with the key. */
export function withCause<T extends Error>(error: T, cause: unknown): T {
  // Crawlee's own error classes take a message only.
  if (cause === undefined) return error;
  error.cause = cause instanceof Error ? withoutMembers(cause) : cause;
  return error;
}

function withoutMembers({ name, message, stack, ...members }: Error & { readonly code?: unknown }): Error {
  const reduced = new Error(message);
  const shown = { name, stack, ...(members.code === undefined ? {} : { code: members.code }) };
  for (const [key, value] of Object.entries(shown)) {
    Object.defineProperty(reduced, key, { value, enumerable: false, configurable: true, writable: true });
  }
  return reduced;
}
