// When a client leaves: noticed at once, and told as an abort with the error that goes to the log.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '../sessions/errors.js';

/** Early bytes of a tunnel kept for its target; a client that sends more before its answer waits for it. */
const MAX_EARLY_BYTES = 64 * 1024;

/** Aborts when the client of a request leaves before its answer is complete. */
export function leavingOf(res: ServerResponse): AbortController {
  const leaving = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) leaving.abort(clientLeft());
  });
  return leaving;
}

/** A CONNECT whose answer is due: its connection is read, so that its client's leaving is seen. */
export interface PendingTunnel {
  readonly left: AbortSignal;
  /** Ends the watch. @returns what the client sent early, for the target */
  settle(): Buffer;
}

/** Watches the connection of a CONNECT until its answer. */
export function watchPending(socket: Socket, head: Buffer): PendingTunnel {
  const leaving = new AbortController();
  const early: Buffer[] = [head];
  let earlyBytes = head.length;
  const onData = (chunk: Buffer): void => {
    early.push(chunk);
    earlyBytes += chunk.length;
    if (earlyBytes > MAX_EARLY_BYTES) socket.pause();
  };
  const onLeft = (): void => leaving.abort(clientLeft());
  socket.on('data', onData);
  for (const event of LEFT_EVENTS) socket.on(event, onLeft);
  return {
    left: leaving.signal,
    settle: () => {
      socket.pause();
      socket.off('data', onData);
      for (const event of LEFT_EVENTS) socket.off(event, onLeft);
      return Buffer.concat(early);
    },
  };
}

const LEFT_EVENTS = ['end', 'close', 'error'] as const;

function clientLeft(): GatewayError {
  return new GatewayError('client_conn_closed', 'The client closed its connection before it was answered');
}
