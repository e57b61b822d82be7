// Sends one HTTP request over a kept or a fresh connection, and once more where a kept one turns out to be dead.

import type { IncomingMessage } from 'node:http';

import { GatewayError } from '../sessions/errors.js';
import { abortError, toGatewayError } from './dial-errors.js';
import { DialingAgent } from './dialing-agent.js';
import type { Dial } from './dialing-agent.js';
import { exchange, exchangeUpgrade } from './exchange.js';
import type { RequestWay } from './exchange.js';
import { frameHead } from './request-framing.js';
import type { FramedHead } from './request-framing.js';
import type { Upgraded } from './upstream.js';

/** The connections requests go over. */
export interface RequestPool {
  /** Connections are kept for the next request to the same peer. */
  readonly kept: DialingAgent;
  /** Each connection serves one request. */
  readonly fresh: DialingAgent;
  close(): void;
}

/** A request, and the way it takes. */
export interface Sending extends RequestWay {
  readonly pool: RequestPool;
  /** As they go out, before they are completed. */
  readonly headers: readonly string[];
}

/** Methods that may be sent twice: they change nothing and, without a body, nothing of them is used up. */
const RESENDABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Creates the connections of one upstream; `dial` opens one to a peer. */
export function createRequestPool(dial: Dial): RequestPool {
  const kept = new DialingAgent(dial, { keep: true });
  const fresh = new DialingAgent(dial, { keep: false });
  const close = () => {
    kept.destroy();
    fresh.destroy();
  };
  return { kept, fresh, close };
}

/**
 * Sends a request and resolves with the head of the answer.
 *
 * @throws GatewayError for everything that keeps the head from coming
 */
export async function sendRequest(sending: Sending): Promise<IncomingMessage> {
  const { request, pool, what } = sending;
  if (request.signal.aborted) throw abortError(request.signal, what);
  const head = headOf(sending);
  // Ours: what can't be sent twice gets a connection of its own. A kept one may be closed by its server at any moment,
  // and then nobody knows whether the request was carried out.
  const mayResend = request.body === undefined && RESENDABLE.has(request.method);
  // Node closes after `Connection: close` only if the server says it too.
  const agent = mayResend && !head.closes ? pool.kept : pool.fresh;
  try {
    const answer = await exchange({ way: sending, agent, head, onSent: request.onSent });
    if (answer !== 'stale') return answer;
    // That it goes out was told when it went the first time.
    const again = await exchange({ way: sending, agent: pool.fresh, head, onSent: () => undefined });
    if (again !== 'stale') return again;
  } catch (error) {
    throw toGatewayError(error, what);
  }
  throw notNew(what);
}

/**
 * Sends a request that asks for another protocol, on a connection of its own; resolves with the head of the answer, or
 * with the connection where the answer switches protocols.
 *
 * @throws GatewayError as `sendRequest`
 */
export async function sendUpgrade(sending: Sending): Promise<Upgraded | IncomingMessage> {
  const { request, pool, what } = sending;
  if (request.signal.aborted) throw abortError(request.signal, what);
  const head = headOf(sending);
  try {
    const outcome = await exchangeUpgrade({ way: sending, agent: pool.fresh, head, onSent: request.onSent });
    if (outcome !== 'stale') return outcome;
  } catch (error) {
    throw toGatewayError(error, what);
  }
  throw notNew(what);
}

function headOf({ request: { method, body }, headers }: Sending): FramedHead {
  return frameHead({ method, body, headers });
}

function notNew(what: string): GatewayError {
  return new GatewayError('internal_error', `${what} failed: a connection of its own was not new`);
}
