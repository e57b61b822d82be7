// A CONNECT as a blind tunnel: decided before its answer. The session is found, the slot waited for and the target
// dialled; then the client is told 200, and from there on bytes pass unseen.

import type { Duplex } from 'node:stream';
import type { Asked } from './admission.js';
import { answerSocket, asGatewayError, headOf } from './answer.js';
import type { GatewayContext } from './context.js';
import { join } from './join.js';
import { type PendingTunnel, watchPending } from './leaving.js';
import { useHeaders } from './relay-headers.js';
import { Use, type UsePlan } from './use.js';

/** A CONNECT that was parsed and belongs to an API key. */
export interface TunnelRequest extends Asked, Pick<UsePlan, 'owner' | 'target' | 'socket'> {
  /** What came behind the head of the CONNECT. */
  readonly head: Buffer;
  /** Whether the client was told 200 before it was known that nothing can be seen in this tunnel. */
  readonly wasAnswered: boolean;
  /** Called when the CONNECT is answered, well or badly. */
  readonly onAnswered: () => void;
}

/** Serves a CONNECT. Never rejects: every failure is an answer, or the end of the connection. */
export async function tunnel(context: GatewayContext, request: TunnelRequest): Promise<void> {
  const { socket, head } = request;
  const pending = watchPending(socket, head);
  const use = new Use(context, { ...request, kind: 'tunnel', method: 'CONNECT', left: pending.left });
  const remote = await open(context, request, { use, pending });
  request.onAnswered();
  if (remote === undefined) return;
  use.answered(200);
  if (!request.wasAnswered) socket.write(headOf(200, 'Connection Established', useHeaders(use.facts)));
  remote.write(pending.settle());
  await join(socket, remote);
  await use.end();
}

interface Opening {
  readonly use: Use;
  readonly pending: PendingTunnel;
}

/** Gets the connection to the target; undefined where that failed, which was told and settled. */
async function open(
  context: GatewayContext,
  request: TunnelRequest,
  { use, pending }: Opening,
): Promise<Duplex | undefined> {
  const { socket, target, echo, wasAnswered } = request;
  let remote: Duplex | undefined;
  try {
    await use.acquire();
    await use.wait();
    remote = await use.upstream.dial(target, pending.left);
    use.sent();
    pending.left.throwIfAborted();
    return remote;
  } catch (thrown) {
    pending.settle();
    remote?.destroy();
    const error = asGatewayError(pending.left.aborted ? pending.left.reason : thrown);
    if (error.code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'tunnel' });
    const isTold = error.code !== 'client_conn_closed' && !wasAnswered;
    const status = isTold ? answerSocket(socket, error, echo) : undefined;
    if (!isTold) socket.destroy();
    await use.end({ error, status, retried: false });
    return undefined;
  }
}
