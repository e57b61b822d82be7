// The gateway's own answers to proxied requests: an error code as a status line, fields in their exact case and one
// line of text.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dialect } from '../protocol/dialect.js';
import { HEADER, ZYTE_HEADER } from '../protocol/header-names.js';
import { VERSION } from '../protocol/version.js';
import { WIRE_ERRORS, wireSeconds } from '../protocol/wire-errors.js';
import { zyteAnswer } from '../protocol/zyte-errors.js';
import { GatewayError } from '../sessions/errors.js';

/** Realm of the challenges; the user is an API key, the password is parameters or empty. */
export const CHALLENGE = 'Basic realm="session-proxy", charset="UTF-8"';

/**
 * How long a client that was refused may go on sending. It is read and dropped: unread bytes would turn the close into a
 * reset, and the client could lose the answer.
 */
const LINGER_MS = 5000;

/** Turns anything thrown into an error that can be answered; what nobody foresaw is `internal_error`. */
export function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  return new GatewayError('internal_error', 'The gateway failed on this request; its log says why', { cause: error });
}

/** What an error answer takes from its request. */
export interface Echo {
  readonly dialect: Dialect;
  /** The session ID that was sent, echoed where the table of errors says so. */
  readonly sentSession: string | undefined;
}

const NO_ECHO: Echo = { dialect: 'spm', sentSession: undefined };

/** Fields of an error answer, but those of its body. */
export function errorHeaders(error: GatewayError, { dialect, sentSession }: Echo = NO_ECHO): string[] {
  const headers: string[] = [HEADER.version, VERSION, HEADER.error, error.code];
  if (sentSession !== undefined && WIRE_ERRORS[error.code].echoesSession) headers.push(HEADER.session, sentSession);
  if (error.nextRequestInMs !== undefined) {
    headers.push(HEADER.nextRequestIn, String(wireSeconds(error.nextRequestInMs)));
  }
  if (error.retryAfterMs !== undefined) {
    headers.push(HEADER.retryAfter, String(Math.max(1, wireSeconds(error.retryAfterMs))));
  }
  if (error.code === 'bad_proxy_auth') headers.push(HEADER.proxyAuthenticate, CHALLENGE);
  if (error.code === 'bad_auth') headers.push(HEADER.wwwAuthenticate, CHALLENGE);
  if (dialect === 'zyte') headers.push(ZYTE_HEADER.requestId, randomUUID());
  return headers;
}

/**
 * Answers a request with an error. The rest of a body that is still coming is dropped, and then the connection closes.
 *
 * @returns the status that was told
 */
export function answerRequest(
  { req, res }: { readonly req: IncomingMessage; readonly res: ServerResponse },
  error: GatewayError,
  echo: Echo,
): number {
  const { status, reason, headers, body } = errorAnswer(error, echo);
  if (!req.complete) headers.push('Connection', 'close');
  res.sendDate = false;
  res.writeHead(status, reason, headers);
  if (req.complete) res.end(body);
  else {
    res.write(body);
    res.flushHeaders();
    endWith(req, res);
  }
  return status;
}

/** Ends an answer, and with it the connection, when the body of its request has been read and dropped. */
function endWith(req: IncomingMessage, res: ServerResponse): void {
  const end = (): void => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  req.once('end', end).once('close', end).resume();
}

/**
 * Answers a CONNECT, or a request that could not be parsed, with an error, and closes the connection.
 *
 * @returns the status that was told
 */
export function answerSocket(socket: Duplex, error: GatewayError, echo?: Echo): number {
  const { status, reason, headers, body } = errorAnswer(error, echo);
  if (!socket.writable) {
    socket.destroy();
    return status;
  }
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.write(headOf(status, reason, [...headers, 'Connection', 'close']), 'latin1');
  socket.end(body);
  return status;
}

/** A status line and fields as they go on the wire. */
export function headOf(status: number, reason: string, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}

interface ErrorAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: string[];
  /** Bytes, for node writes a head together with a text in the coding of the text. */
  readonly body: Buffer;
}

function errorAnswer(error: GatewayError, echo: Echo = NO_ECHO): ErrorAnswer {
  const ours = errorHeaders(error, echo);
  if (echo.dialect === 'zyte') {
    const { status, reason, headers, body } = zyteAnswer(error);
    return { status, reason, headers: [...ours, ...headers], body: Buffer.from(body) };
  }
  const { status, reason } = WIRE_ERRORS[error.code];
  const body = Buffer.from(`${error.message.replaceAll(/[\r\n]+/g, ' ')}\n`);
  const length = String(body.length);
  return {
    status,
    reason,
    headers: [...ours, 'Content-Type', 'text/plain; charset=utf-8', 'Content-Length', length],
    body,
  };
}
