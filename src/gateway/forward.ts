// A plain HTTP request: its body is held while it waits, its head goes to the target without what is ours, and the
// answer comes back with our fields behind the target's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { sentSessionId } from '../protocol/directives.js';
import { transferCodingsOf } from '../protocol/raw-headers.js';
import { GatewayError } from '../sessions/errors.js';
import { toGatewayError } from '../upstreams/dial-errors.js';
import { answerRequest, asGatewayError } from './answer.js';
import type { GatewayContext } from './context.js';
import { RequestBody, tooLarge } from './request-body.js';
import { leavingOf } from './leaving.js';
import { requestHeaders, responseHeaders, type UseFacts } from './relay-headers.js';
import { Use, type UsePlan } from './use.js';

/** A request that was parsed and belongs to an API key. */
export interface ForwardRequest extends Omit<UsePlan, 'kind' | 'socket' | 'left' | 'method'> {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Origin form, as the client sent it. */
  readonly path: string;
  /** `host[:port]` for the `Host` field. */
  readonly authority: string;
}

/** Serves a plain HTTP request. Never rejects: every failure is an answer, or the end of the connection. */
export async function forward(context: GatewayContext, request: ForwardRequest): Promise<void> {
  const { req, res, directives } = request;
  const leaving = leavingOf(req, res);
  const use = new Use(context, {
    ...request,
    kind: 'request',
    method: req.method ?? '',
    socket: req.socket,
    left: leaving.signal,
  });
  const body = new RequestBody(req, {
    maxBytes: context.options.limits.requestBytes,
    onFailure: (error) => leaving.abort(error),
  });
  try {
    refuseBody(req, context.options.limits.requestBytes);
    await use.acquire();
    if (use.mustWait) body.collect();
    await use.wait();
    await exchange({ use, request, body, leaving });
    await use.end();
  } catch (thrown) {
    const error = asGatewayError(leaving.signal.aborted ? leaving.signal.reason : thrown);
    if (error.code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'forward' });
    const status = fail({ req, res }, error, sentSessionId(directives));
    await use.end({ error, status });
  } finally {
    await body.dispose();
  }
}

interface Exchange {
  readonly use: Use;
  readonly request: ForwardRequest;
  readonly body: RequestBody;
  /** Aborted by whichever breaks first: the client's connection, or the target's answer. */
  readonly leaving: AbortController;
}

async function exchange({ use, request, body, leaving }: Exchange): Promise<void> {
  const { req, res, target, path, authority } = request;
  const answer = await use.upstream.request({
    method: req.method ?? 'GET',
    target,
    path,
    headers: requestHeaders(req.rawHeaders, authority),
    body: hasBody(req) ? await body.replay() : undefined,
    signal: leaving.signal,
    onSent: () => use.sent(),
  });
  const what = `Reading the answer of ${authority}`;
  answer.once('error', (error) => leaving.abort(toGatewayError(error, what)));
  relayHead(res, answer, use.facts);
  use.answered(res.statusCode);
  // A head whose body is slow to come must not wait for it; one whose body is there goes out together with it.
  setImmediate(() => res.flushHeaders());
  try {
    // An answer that waits behind others on its connection does not see that close, hence the signal.
    await Promise.race([pipeline(answer, res), whenAborted(leaving.signal)]);
  } catch (error) {
    throw toGatewayError(error, what);
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Answers, or cuts the connection where an answer has begun. @returns the status told, if any */
function fail(
  { req, res }: Pick<ForwardRequest, 'req' | 'res'>,
  error: GatewayError,
  sentSession: string | undefined,
): number | undefined {
  if (error.code === 'client_conn_closed' || res.headersSent) {
    res.destroy();
    return undefined;
  }
  answerRequest({ req, res }, error, sentSession);
  return res.statusCode;
}

function hasBody(req: IncomingMessage): boolean {
  return transferCodingsOf(req.rawHeaders).length > 0 || Number(req.headers['content-length'] ?? 0) > 0;
}

/** @throws GatewayError for a body that is too large, or coded in a way that ends at this hop */
function refuseBody(req: IncomingMessage, maxBytes: number): void {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (transferCodingsOf(req.rawHeaders).some((coding) => coding !== 'chunked')) {
    throw new GatewayError('bad_request', 'Of transfer codings only chunked is understood here; use Content-Encoding');
  }
}

/** @throws GatewayError for what node refuses to write, such as control characters */
function relayHead(res: ServerResponse, answer: IncomingMessage, facts: UseFacts): void {
  try {
    res.sendDate = false;
    res.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', responseHeaders(answer.rawHeaders, facts));
  } catch (error) {
    answer.destroy();
    throw new GatewayError('send_failed', 'The head of the answer has characters that HTTP does not allow there', {
      cause: error,
    });
  }
}
