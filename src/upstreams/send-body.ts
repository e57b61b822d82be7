// Moves the body of a request to where it goes. Not a pipeline: that would destroy the body together with a failed
// request, and the body is the client's connection, which is still to be answered on.

import type { ClientRequest } from 'node:http';
import { finished } from 'node:stream';
import type { Readable } from 'node:stream';

import { GatewayError } from '../sessions/errors.js';
import { toGatewayError } from './dial-errors.js';

/** A body on its way. */
export interface BodyTransfer {
  readonly body: Readable;
  /** Bytes it has to have; undefined: any number, it goes out chunked. */
  readonly bodyBytes: number | undefined;
  /** Fields to send behind it where it goes out chunked; asked when it has ended. */
  readonly trailers: (() => readonly string[]) | undefined;
  readonly to: ClientRequest;
  /** Called with each piece. */
  readonly onProgress: () => void;
  /** Called if the body broke off or has another length than announced; the request is then to be given up. */
  readonly onFault: (error: GatewayError) => void;
}

/** Sends a body and ends the request with it. Stops, and leaves the body paused, when the request is over first. */
export function sendBody(transfer: BodyTransfer): void {
  const { body, bodyBytes, to, onProgress, onFault } = transfer;
  let sentBytes = 0;
  const resume = () => body.resume();
  const stop = () => {
    body.off('data', send).pause();
    to.off('drain', resume).off('close', stop);
    unwatch();
  };
  const fail = (message: string, code: 'bad_request' | 'client_conn_closed', cause?: unknown) => {
    stop();
    onFault(new GatewayError(code, message, { cause }));
  };
  function send(chunk: Buffer | string): void {
    sentBytes += Buffer.byteLength(chunk);
    // One byte more would be read as the beginning of the next request on that connection.
    if (bodyBytes !== undefined && sentBytes > bodyBytes) return fail(lengthFault(bodyBytes), 'bad_request');
    onProgress();
    if (!to.write(chunk)) body.pause();
  }
  const unwatch = finished(body, { writable: false }, (error) => {
    if (error) return fail('The body of the request broke off', 'client_conn_closed', error);
    if (bodyBytes !== undefined && sentBytes < bodyBytes) return fail(lengthFault(bodyBytes), 'bad_request');
    stop();
    // A body of stated length has no room for them (RFC 9112 section 7.1.2).
    const fault = bodyBytes === undefined ? addTrailers(to, transfer.trailers?.() ?? []) : undefined;
    if (fault === undefined) to.end();
    else onFault(fault);
  });
  // Node sends the head with the first piece; where that takes its time, the target need not wait for the head.
  setImmediate(() => {
    if (sentBytes === 0 && !to.writableEnded && !to.destroyed) to.flushHeaders();
  });
  to.on('drain', resume).once('close', stop);
  body.on('data', send);
}

/** Adds fields to go out behind the last chunk. @returns why that can't be */
function addTrailers(to: ClientRequest, fields: readonly string[]): GatewayError | undefined {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) pairs.push([fields[index] ?? '', fields[index + 1] ?? '']);
  try {
    if (pairs.length > 0) to.addTrailers(pairs);
    return undefined;
  } catch (error) {
    return toGatewayError(error, 'Sending the trailers of the request');
  }
}

function lengthFault(bodyBytes: number): string {
  return `The body of the request doesn't have the ${bodyBytes} bytes that Content-Length says`;
}
