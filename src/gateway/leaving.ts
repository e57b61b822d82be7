// When a client leaves: noticed at once, and told as an abort with the error that goes to the log.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '../sessions/errors.js';
import { GivingUp } from '../upstreams/giving-up.js';
import type { GiveUp } from '../upstreams/upstream.js';

/** Early bytes of a tunnel kept for its target. A connection that is not read hides that its client has left. */
const MAX_EARLY_BYTES = 64 * 1024;

/** Aborts when the client of a request leaves before its answer is complete. */
export function leavingOf({ socket }: IncomingMessage, res: ServerResponse): GivingUp {
  const leaving = new GivingUp();
  const onClose = (): void => {
    socket.off('close', onClose);
    if (!res.writableFinished) leaving.abort(clientLeft());
  };
  res.on('close', onClose);
  // node closes the answer that is being written only, not those that wait behind it on the same connection; there is
  // one listener for each of them.
  socket.setMaxListeners(0);
  socket.on('close', onClose);
  return leaving;
}

/** A CONNECT, or a request for another protocol, whose answer is due: its connection is read, so that its client's leaving is seen. */
export interface PendingTunnel {
  readonly left: GiveUp & Pick<AbortSignal, 'throwIfAborted'>;
  /** Ends the watch. @returns what the client sent early, for the target */
  settle(): Buffer;
}

/** Watches the connection of a CONNECT, or of a request for another protocol, until its answer. */
export function watchPending(socket: Socket, head: Buffer): PendingTunnel {
  const leaving = new GivingUp();
  const early: Buffer[] = [head];
  let earlyBytes = head.length;
  const onData = (chunk: Buffer): void => {
    early.push(chunk);
    earlyBytes += chunk.length;
    if (earlyBytes > MAX_EARLY_BYTES) leaving.abort(tooEarly());
  };
  const onLeft = (): void => leaving.abort(clientLeft());
  socket.on('data', onData);
  for (const event of LEFT_EVENTS) socket.on(event, onLeft);
  return {
    left: leaving,
    settle: () => {
      socket.pause();
      socket.off('data', onData);
      for (const event of LEFT_EVENTS) socket.off(event, onLeft);
      return Buffer.concat(early);
    },
  };
}

const LEFT_EVENTS = ['end', 'close', 'error'] as const;

function tooEarly(): GatewayError {
  return new GatewayError(
    'bad_request',
    `More than ${MAX_EARLY_BYTES} bytes came before the answer they belong behind; wait for it`,
  );
}

function clientLeft(): GatewayError {
  return new GatewayError('client_conn_closed', 'The client closed its connection before it was answered');
}
