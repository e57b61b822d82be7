// A CONNECT as a blind tunnel: decided before its answer. The session is found, the slot waited for and the target
// dialled; then the client is told 200, and from there on bytes pass unseen.

import type { Socket } from 'node:net';
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

/** A tunnel through which bytes pass. */
export interface BlindTunnel {
  /** Resolves when both ends are closed and the use is settled; never rejects. */
  readonly closed: Promise<void>;
}

/**
 * Opens a tunnel; undefined where that failed. Never rejects: every failure is an answer, or the end of the connection.
 * It does not wait for the end, or all that the CONNECT was parsed into would be kept until then.
 */
export async function tunnel(context: GatewayContext, request: TunnelRequest): Promise<BlindTunnel | undefined> {
  const { socket, head, owner, target, directives, echo } = request;
  const pending = watchPending(socket, head);
  const plan = {
    owner,
    target,
    directives,
    echo,
    socket,
    kind: 'tunnel',
    method: 'CONNECT',
    left: pending.left,
  } as const;
  const use = new Use(context, plan);
  const remote = await open(context, request, { use, pending });
  request.onAnswered();
  if (remote === undefined) return undefined;
  use.answered(200);
  if (!request.wasAnswered) socket.write(headOf(200, 'Connection Established', useHeaders(use.facts)), 'latin1');
  const early = pending.settle();
  // A write of nothing is a system call all the same.
  if (early.length > 0) remote.write(early);
  return { closed: untilClosed(context, { socket, remote, use }) };
}

async function untilClosed(
  { emit }: GatewayContext,
  { socket, remote, use }: { readonly socket: Socket; readonly remote: Duplex; readonly use: Use },
): Promise<void> {
  await join(socket, remote);
  try {
    await use.end();
  } catch (error) {
    emit({ type: 'gateway.failure', error, during: 'tunnel' });
  }
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
