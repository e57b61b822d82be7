// A request for another protocol, such as WebSocket: acquired and held like any other. Where the target switches, the
// connections are joined; where it does not, its answer is passed on and the connection closed.

import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '../sessions/errors.js';
import type { Upgraded } from '../upstreams/upstream.js';
import { answerSocket, asGatewayError, headOf } from './answer.js';
import type { AskedRequest } from './asked-request.js';
import { extraFacts, hasBody, judge } from './attempt.js';
import type { GatewayContext } from './context.js';
import { join } from './join.js';
import { leavingOf, type PendingTunnel, watchPending } from './leaving.js';
import { outgoingHeaders } from './outgoing-headers.js';
import { responseOn } from './raw-response.js';
import { isWritable, relayAnswer } from './relay-answer.js';
import { upgradeResponseHeaders, type UseFacts } from './relay-headers.js';
import { Use } from './use.js';

/** A request for another protocol, on the connection that is to speak it. */
export interface UpgradeRequest extends AskedRequest {
  readonly socket: Socket;
  /** What came behind the head of the request. */
  readonly head: Buffer;
  /** Called when the target has switched: what is open then counts as a tunnel, not as a request in flight. */
  readonly onAnswered: () => void;
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
    const telling = { use, pending, facts };
    if (outcome instanceof IncomingMessage) await decline(context, { ...request, ...telling }, outcome);
    else await switchOver(request, telling, outcome);
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
  if (outcome instanceof IncomingMessage) {
    await judge(context, request, { answer: outcome, acquired });
    // That took its time, and the answer is gone with the client.
    pending.left.throwIfAborted();
  }
  keepCookies(outcome instanceof IncomingMessage ? outcome.rawHeaders : outcome.answer.rawHeaders);
  const facts = { ...use.facts, ...extraFacts(request, { requestTimeMs: use.sinceSentMs, headers }) };
  return { outcome, facts };
}

interface Telling {
  readonly use: Use;
  readonly pending: PendingTunnel;
  readonly facts: UseFacts;
}

async function switchOver(
  { socket, onAnswered }: UpgradeRequest,
  { use, pending, facts }: Telling,
  { answer, socket: remote, head }: Upgraded,
): Promise<void> {
  const headers = upgradeResponseHeaders(answer.rawHeaders, facts);
  const reason = answer.statusMessage ?? '';
  if (!isWritable(reason, headers)) {
    remote.destroy();
    throw new GatewayError('send_failed', 'The head of the answer has characters that HTTP does not allow there');
  }
  use.answered(101);
  onAnswered();
  socket.write(headOf(101, reason, headers), 'latin1');
  socket.write(head);
  remote.write(pending.settle());
  await join(socket, remote);
}

/** Passes the answer of a target that has not switched on, like that of any other request. @throws GatewayError */
async function decline(
  { options }: GatewayContext,
  { req, authority, use, pending, facts }: UpgradeRequest & Telling,
  answer: IncomingMessage,
): Promise<void> {
  const { socket } = req;
  pending.settle();
  const res = responseOn(req, socket);
  const leaving = leavingOf(req, res);
  try {
    await relayAnswer({
      answer,
      res,
      facts,
      leaving,
      maxBytes: options.limits.responseBytes,
      what: `Reading the answer of ${authority}`,
      onHead: (status) => use.answered(status),
    });
  } catch (error) {
    throw leaving.signal.aborted ? leaving.signal.reason : error;
  }
}
