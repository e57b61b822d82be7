// Passes the answer of a target on to the client: interim answers, head, body within its limit, trailers.

import { type IncomingMessage, type ServerResponse, validateHeaderValue } from 'node:http';
import { TLSSocket } from 'node:tls';
import { GatewayError } from '../sessions/errors.js';
import { toGatewayError } from '../upstreams/dial-errors.js';
import type { Information } from '../upstreams/upstream.js';
import { headOf } from './answer.js';
import type { GivingUp } from '../upstreams/giving-up.js';
import { passBody, tooLarge } from './pass-body.js';
import { crossingHeaders, responseHeaders, type UseFacts } from './relay-headers.js';

/** An answer on its way to the client. */
export interface Relay {
  readonly answer: IncomingMessage;
  readonly res: ServerResponse;
  readonly facts: UseFacts;
  readonly maxBytes: number;
  /** Aborted by whichever breaks first: the client's connection, or the target's answer. */
  readonly leaving: GivingUp;
  /** The attempt, as the beginning of a sentence. */
  readonly what: string;
  /** Called when the head was told. */
  readonly onHead: (status: number) => void;
}

/**
 * Passes an answer on; rejects with a GatewayError where it breaks off.
 *
 * @throws GatewayError where nothing was told of it
 */
export function relayAnswer({ answer, res, facts, maxBytes, leaving, what, onHead }: Relay): Promise<void> {
  // One that broke in the bytes behind its head has its error by now, and nothing of it was told.
  if (answer.errored !== null) throw toGatewayError(answer.errored, what);
  answer.on('error', (error) => {
    leaving.abort(toGatewayError(error, what));
    if (answer.headers['content-length'] === undefined) showBreak(res);
  });
  refuseLength(answer, maxBytes);
  relayHead(res, answer, facts);
  onHead(res.statusCode);
  // A head whose body is slow to come must not wait for it; one whose body is there goes out together with it.
  if (!answer.complete) setImmediate(() => res.flushHeaders());
  return passBody({ answer, res, maxBytes, leaving, what });
}

/** Passes an interim answer on, such as 103, to a client that may know it. */
export function relayInformation(res: ServerResponse, { status, reason, headers }: Information): void {
  // One that waits behind others on its connection has no socket yet; HTTP/1.0 knows no interim answers.
  if (res.socket === null || res.req.httpVersion !== '1.1' || res.headersSent) return;
  const crossing = crossingHeaders(headers);
  if (isWritable(reason, crossing)) res.socket.write(headOf(status, reason, crossing), 'latin1');
}

/** Whether a head may be written at all; lenient parsing lets control characters through, which clients choke on. */
export function isWritable(reason: string, headers: readonly string[]): boolean {
  try {
    for (const text of [reason, ...headers]) validateHeaderValue('Field', text);
    return true;
  } catch {
    return false;
  }
}

/** Without length and chunks, as to HTTP/1.0, a body that broke off must not end as one that is whole. */
function showBreak({ socket, headersSent, chunkedEncoding }: ServerResponse): void {
  if (socket === null || !headersSent || chunkedEncoding) return;
  // TLS says of itself whether it was ended or cut.
  if (!(socket instanceof TLSSocket)) socket.resetAndDestroy();
}

/** @throws GatewayError `data_error` */
function refuseLength(answer: IncomingMessage, maxBytes: number): void {
  if (Number(answer.headers['content-length'] ?? 0) <= maxBytes) return;
  answer.destroy();
  throw tooLarge(maxBytes);
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
