// A request for another protocol, such as WebSocket: acquired and held like any other. Where the target switches, the
// connections are joined; where it does not, its answer is passed on and the connection closed.

import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { GatewayError } from '../sessions/errors.js';
import type { Upgraded } from '../upstreams/upstream.js';
import { answerSocket, asGatewayError, headOf } from './answer.js';
import type { AskedRequest } from './asked-request.js';
import { extraFacts, hasBody, judge } from './attempt.js';
import type { GatewayContext } from './context.js';
import { join } from './join.js';
import { type PendingTunnel, watchPending } from './leaving.js';
import { outgoingHeaders } from './outgoing-headers.js';
import { responseHeaders, upgradeResponseHeaders, type UseFacts } from './relay-headers.js';
import { Use } from './use.js';

/** A request for another protocol, on the connection that is to speak it. */
export interface UpgradeRequest extends AskedRequest {
  readonly socket: Socket;
  /** What came behind the head of the request. */
  readonly head: Buffer;
}

interface Switching {
  readonly outcome: Upgraded | IncomingMessage;
  readonly facts: UseFacts;
}

/**
 * Serves a request for another protocol. Never rejects: every failure is an answer, or the end of the connection.
 *
 * @returns the ID of the session that served it, if one did
 */
export async function upgrade(context: GatewayContext, request: UpgradeRequest): Promise<string | undefined> {
  const { req, socket, head, echo } = request;
  const pending = watchPending(socket, head);
  const use = new Use(context, { ...request, kind: 'request', method: req.method ?? '', left: pending.left });
  try {
    const { outcome, facts } = await ask(context, request, { use, pending });
    const telling = { socket, use, pending, facts };
    if (outcome instanceof IncomingMessage) await decline(telling, outcome);
    else await switchOver(telling, outcome);
    await use.end();
    return use.acquired?.session?.id;
  } catch (thrown) {
    pending.settle();
    const error = asGatewayError(pending.left.aborted ? pending.left.reason : thrown);
    if (error.code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'upgrade' });
    const isTold = error.code !== 'client_conn_closed' && !use.wasAnswered;
    const status = isTold ? answerSocket(socket, error, echo) : undefined;
    if (!isTold) socket.destroy();
    await use.end({ error, status, retried: false });
    return undefined;
  }
}

/** Gets the target's word. @throws GatewayError */
async function ask(
  context: GatewayContext,
  request: UpgradeRequest,
  { use, pending }: { readonly use: Use; readonly pending: PendingTunnel },
): Promise<Switching> {
  const { req, target, path, secure, directives } = request;
  if (hasBody(req)) {
    throw new GatewayError('bad_request', 'A request that asks for another protocol can have no body here; send none');
  }
  const acquired = await use.acquire();
  await use.wait();
  const { headers, keepCookies } = await outgoingHeaders(context, request, { acquired, isUpgrade: true });
  const outcome = await use.upstream.upgrade({
    method: req.method ?? 'GET',
    target,
    path,
    headers,
    body: undefined,
    signal: pending.left,
    onSent: () => use.sent(),
    secure,
    responseTimeoutMs: directives.responseTimeoutMs,
  });
  if (outcome instanceof IncomingMessage) await judge(context, request, { answer: outcome, acquired });
  keepCookies(outcome instanceof IncomingMessage ? outcome.rawHeaders : outcome.answer.rawHeaders);
  const facts = { ...use.facts, ...extraFacts(request, { requestTimeMs: use.sinceSentMs, headers }) };
  return { outcome, facts };
}

interface Telling {
  readonly socket: Socket;
  readonly use: Use;
  readonly pending: PendingTunnel;
  readonly facts: UseFacts;
}

async function switchOver({ socket, use, pending, facts }: Telling, upgraded: Upgraded): Promise<void> {
  const { answer, socket: remote, head } = upgraded;
  use.answered(101);
  socket.write(headOf(101, answer.statusMessage ?? '', upgradeResponseHeaders(answer.rawHeaders, facts)), 'latin1');
  socket.write(head);
  remote.write(pending.settle());
  await join(socket, remote);
}

async function decline({ socket, use, pending, facts }: Telling, answer: IncomingMessage): Promise<void> {
  const { statusCode = 502, statusMessage = '', rawHeaders } = answer;
  pending.settle();
  use.answered(statusCode);
  // Without a length the end of the connection is the end of the body.
  const headers = [...responseHeaders(rawHeaders, facts), 'Connection', 'close'];
  socket.write(headOf(statusCode, statusMessage, headers), 'latin1');
  socket.resume();
  await pipeline(answer, socket);
}
