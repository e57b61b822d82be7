// Opens TCP connections, in time or not at all. Where they lead and what is spoken on them is the caller's.

import net from 'node:net';
import type { Socket, TcpNetConnectOpts } from 'node:net';

import { BulkReader } from './bulk-reader.js';
import { GatewayError } from '../sessions/errors.js';
import { abortError, toGatewayError } from './dial-errors.js';
import { GivingUp } from './giving-up.js';
import type { GiveUp } from './upstream.js';

/** How long something may take, and what it is called when it takes longer. */
export interface Deadline {
  readonly timeoutMs: number;
  /** Gives it up sooner. */
  readonly signal: GiveUp;
  /** The attempt, as the beginning of a sentence: `Connecting to example.com:80`. */
  readonly what: string;
}

/**
 * Runs one attempt with a signal that fires when time is up or the caller gives up; its reason is the GatewayError to
 * fail with. Whatever the attempt throws leaves as a GatewayError.
 */
export async function withDeadline<T>(deadline: Deadline, run: (signal: GiveUp) => Promise<T>): Promise<T> {
  const { signal, timeoutMs, what } = deadline;
  const givingUp = new GivingUp();
  const giveUp = () => givingUp.abort(abortError(signal, what));
  const expire = () => givingUp.abort(new GatewayError('timeout', `${what} took longer than ${timeoutMs} ms`));
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  const timer = setTimeout(expire, timeoutMs);
  try {
    givingUp.throwIfAborted();
    return await run(givingUp);
  } catch (error) {
    throw toGatewayError(error, what);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

/**
 * Opens a TCP connection that may be half-closed.
 *
 * @param signal destroys it while it is being opened; rejects with the signal's reason
 */
export function connectTcp(options: TcpNetConnectOpts, signal: GiveUp): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const reader = new BulkReader();
    const socket = net.connect({
      onread: reader.onread,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      // Node's 250 ms give up good but distant addresses: https://github.com/nodejs/node/issues/52216
      autoSelectFamilyAttemptTimeout: 1_000,
      ...options,
    });
    reader.serve(socket);
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect).off('error', onError);
    };
    const onConnect = (): void => {
      settle();
      resolve(socket);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onAbort = (): void => {
      settle();
      reject(signal.reason);
      socket.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // The others go when it stands, for they would keep the whole attempt in memory for as long as the connection lasts.
    socket.on('connect', onConnect).on('error', onError).on('error', ignoreError);
  });
}

/**
 * Stays on the socket: an error between its opening and the first listener of the caller would end the process. It isn't
 * lost, for the socket closes, and whoever listens later finds it destroyed.
 */
function ignoreError(): void {}
