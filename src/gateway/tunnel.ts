// A CONNECT as a blind tunnel: decided before its answer. The session is found, the slot waited for and the target
// dialled; then the client is told 200, and from there on bytes pass unseen.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { sentSessionId } from '../protocol/directives.js';
import { answerSocket, asGatewayError, headOf } from './answer.js';
import type { GatewayContext } from './context.js';
import { watchPending } from './leaving.js';
import { useHeaders } from './relay-headers.js';
import { Use, type UsePlan } from './use.js';
import { WIRE_ERRORS } from '../protocol/wire-errors.js';

/** Idle tunnels are legal for hours; a dead peer is found by the system's own probes, from this long on. */
const KEEP_ALIVE_AFTER_MS = 60_000;

/** A CONNECT that was parsed and belongs to an API key. */
export interface TunnelRequest extends Omit<UsePlan, 'kind' | 'left' | 'method'> {
  /** What came behind the head of the CONNECT. */
  readonly head: Buffer;
}

/** Serves a CONNECT. Never rejects: every failure is an answer, or the end of the connection. */
export async function tunnel(context: GatewayContext, request: TunnelRequest): Promise<void> {
  const { socket, head, target, directives } = request;
  const pending = watchPending(socket, head);
  const use = new Use(context, { ...request, kind: 'tunnel', method: 'CONNECT', left: pending.left });
  let remote: Duplex | undefined;
  try {
    await use.acquire();
    await use.wait();
    remote = await use.upstream.dial(target, pending.left);
    use.sent();
    pending.left.throwIfAborted();
  } catch (thrown) {
    pending.settle();
    remote?.destroy();
    const error = asGatewayError(pending.left.aborted ? pending.left.reason : thrown);
    if (error.code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'tunnel' });
    const left = error.code === 'client_conn_closed';
    if (left) socket.destroy();
    else answerSocket(socket, error, sentSessionId(directives));
    return use.end({ error, status: left ? undefined : WIRE_ERRORS[error.code].status });
  }
  use.answered(200);
  socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
  socket.setNoDelay(true);
  socket.write(headOf(200, 'Connection Established', useHeaders(use.facts)));
  remote.write(pending.settle());
  await join(socket, remote);
  await use.end();
}

/** Passes bytes both ways until both sides are closed; one side's end ends the other's, not both. */
function join(client: Socket, remote: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const closeWith = (side: Duplex, other: Duplex): void => {
      // A reset has no half-close to wait for; both ends have been told by then.
      side.on('error', () => other.destroy());
      side.once('close', () => {
        // Nothing can be passed on to a closed side; what it sent before still goes to the other.
        if (side.readableEnded) other.end(() => other.destroy());
        else other.destroy();
        open -= 1;
        if (open === 0) resolve();
      });
    };
    closeWith(client, remote);
    closeWith(remote, client);
    client.pipe(remote);
    remote.pipe(client);
  });
}
