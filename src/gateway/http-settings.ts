// How node:http is set for clients, on the listener and inside tunnels alike.

import type { Server } from 'node:http';
import { GatewayError } from '../sessions/errors.js';
import { MAX_HEADER_BYTES } from '../upstreams/exchange.js';

/** A head that takes longer than this is given up; the body has no such bound, for held uploads are legal. */
export const HEADERS_TIMEOUT_MS = 60_000;

/** Idle keep-alive connections are closed after this long: above the usual 60 s of clients and balancers. */
const KEEP_ALIVE_MS = 75_000;

/** Sets a server for clients of the protocol. */
export function setForClients(given: Server): void {
  // node reads these when it parses; they are constructor options, which proxy-chain does not pass on.
  const server = given as Server & { maxHeaderSize: number; requireHostHeader: boolean };
  server.maxHeaderSize = MAX_HEADER_BYTES;
  // Their size is bounded; past node's own bound on their number it would drop fields without a word.
  server.maxHeadersCount = 0;
  server.requireHostHeader = false;
  server.requestTimeout = 0;
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
}

/** What a client is told whose request could not be parsed. */
export function rejectionOf(error: NodeJS.ErrnoException): GatewayError {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    const message = `The header fields are larger than ${MAX_HEADER_BYTES} bytes; send fewer or shorter ones`;
    return new GatewayError('headers_too_large', message);
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new GatewayError('bad_request', `The request head did not arrive within ${HEADERS_TIMEOUT_MS / 1000} s`);
  }
  const reason = 'reason' in error && typeof error.reason === 'string' ? `: ${error.reason}` : '';
  return new GatewayError('bad_request', `This is not a valid HTTP/1.1 request${reason}`);
}
