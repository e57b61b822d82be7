// One attempt at a request: acquired, held until its slot, sent, and held against the ban rules. It ends with the head
// of an answer to relay, or with an error after which another attempt may be made.

import type { IncomingMessage } from 'node:http';
import { crossingHeaders, type UseFacts } from './relay-headers.js';
import { transferCodingsOf } from '../protocol/raw-headers.js';
import { banRuleOf } from '../sessions/ban.js';
import { GatewayError } from '../sessions/errors.js';
import type { Acquired } from '../stores/session-store.js';
import { toGatewayError } from '../upstreams/dial-errors.js';
import type { GiveUp, Information } from '../upstreams/upstream.js';
import type { AskedRequest } from './asked-request.js';
import { isBan } from './ban-check.js';
import type { GatewayContext } from './context.js';
import { outgoingHeaders, userAgentOf } from './outgoing-headers.js';
import type { RequestBody } from './request-body.js';
import type { Use } from './use.js';

/** A request whose turn it is. */
export interface Attempt {
  readonly request: AskedRequest;
  readonly use: Use;
  readonly body: RequestBody;
  /** Gives it up. */
  readonly signal: GiveUp;
  readonly onInformation: (information: Information) => void;
}

/** The answer of a target, nothing of whose body was told, and what is told with it. */
export interface Answered {
  readonly answer: IncomingMessage;
  readonly facts: UseFacts;
}

/** Makes an attempt. @throws GatewayError `banned` for an answer that means a ban, and whatever keeps one from coming */
export async function attempt(context: GatewayContext, attempted: Attempt): Promise<Answered> {
  const { request, use, body, signal, onInformation } = attempted;
  const { req, target, path, secure, directives } = request;
  const acquired = await use.acquire();
  if (!use.startNow()) {
    body.collect();
    await use.wait();
  }
  const { headers, keepCookies } = await outgoingHeaders(context, request, { acquired });
  const answer = await use.upstream.request({
    method: req.method ?? 'GET',
    target,
    path,
    headers,
    body: hasBody(req) ? await body.replay() : undefined,
    trailers: () => crossingHeaders(req.rawTrailers),
    signal,
    onSent: () => use.sent(),
    onInformation,
    secure,
    responseTimeoutMs: directives.responseTimeoutMs,
  });
  const requestTimeMs = use.sinceSentMs;
  keepCookies(answer.rawHeaders);
  await judge(context, request, { answer, acquired });
  const { sessionId, outgoingIp, formerIp, nextRequestInMs, requestId, hiddenField } = use.facts;
  const { requestTimeSeconds, userAgent } = extraFacts(request, { requestTimeMs, headers });
  return {
    answer,
    facts: {
      sessionId,
      outgoingIp,
      formerIp,
      nextRequestInMs,
      requestId,
      hiddenField,
      requestTimeSeconds,
      userAgent,
    },
  };
}

/**
 * Holds an answer against the ban rules, where its client and session want that.
 *
 * @returns undefined where nothing has to be read for that
 * @throws GatewayError `banned`, or what the page breaks off with while it is looked at
 */
export function judge(
  context: GatewayContext,
  request: AskedRequest,
  { answer, acquired }: { readonly answer: IncomingMessage; readonly acquired: Acquired },
): Promise<void> | undefined {
  const { directives, target } = request;
  if (!directives.bancheck || acquired.session?.bancheck === false) return undefined;
  const isBanned = isBan(answer, banRuleOf(target.host, context.options.banRules));
  return isBanned === false ? undefined : refuseBan(context, request, { answer, isBanned });
}

async function refuseBan(
  { options }: GatewayContext,
  { target, authority }: AskedRequest,
  { answer, isBanned }: { readonly answer: IncomingMessage; readonly isBanned: boolean | Promise<boolean> },
): Promise<void> {
  try {
    if (!(await isBanned)) return;
  } catch (error) {
    throw toGatewayError(error, `Reading the answer of ${authority}`);
  }
  answer.destroy();
  const { cooldownMs } = options.rules.bans;
  const message = `${target.host} has banned the outgoing IP; ask for the page with X-Crawlera-No-Bancheck to see it`;
  throw new GatewayError('banned', message, { retryAfterMs: cooldownMs || undefined });
}

/** Whether a request has a body, or may have one. */
export function hasBody({ headers, rawHeaders }: IncomingMessage): boolean {
  if (Number(headers['content-length'] ?? 0) > 0) return true;
  return headers['transfer-encoding'] !== undefined && transferCodingsOf(rawHeaders).length > 0;
}

/** What an answer tells besides, to those who asked for it. */
export function extraFacts(
  { directives }: AskedRequest,
  { requestTimeMs, headers }: { readonly requestTimeMs: number; readonly headers: readonly string[] },
): Pick<UseFacts, 'requestTimeSeconds' | 'userAgent'> {
  return {
    requestTimeSeconds: directives.debug.requestTime ? requestTimeMs / 1000 : undefined,
    userAgent: directives.debug.userAgent ? userAgentOf(headers) : undefined,
  };
}
