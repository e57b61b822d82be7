// What an answer of the gateway's own, or a tunnel it refused, means for the crawler: a lost session, a wrong key, or
// an ordinary failure. Reads answers and error texts; sends nothing.

import type { BaseHttpResponseData } from '@crawlee/core';

import { HEADER } from '../protocol/header-names.js';
import { type RawHeaders, valuesOf } from '../protocol/raw-headers.js';
import { gatewayBusy, sessionBanned, sessionLost, withCause, withoutRotationWords, wrongApiKey } from './errors.js';

/** An answer that the gateway made itself. */
export interface GatewayAnswer {
  /** The protocol's word; undefined for a 407 of which it can't be told whose it is. */
  readonly code: string | undefined;
  readonly status: number;
  /** When to try again, in milliseconds, where it was told. */
  readonly retryAfterMs: number | undefined;
}

/** What an error of the gateway's means. */
export interface Verdict {
  readonly error: Error;
  /** Whether the session itself is fine, so that Crawlee's error score must not rise for it. */
  readonly isSessionFine: boolean;
}

/** As much of the gateway's own words as a message repeats. */
const MAX_TOLD_LENGTH = 300;

/**
 * Statuses of a refused tunnel, all that a client gets to see of it; got-scraping and http2-wrapper have three ways to
 * put it, one of which makes Crawlee rotate the session and two of which don't.
 *
 * @see https://github.com/apify/got-scraping/blob/v4.2.1/src/resolve-protocol.ts and src/agent/h1-proxy-agent.ts,
 *   https://github.com/szmarczak/http2-wrapper/blob/master/source/proxies/unexpected-status-code-error.js
 */
const TUNNEL_STATUS = /(?:proxy responded with|proxy server rejected the request with status code) (\d{3})/i;

/** A refused tunnel shows its status only, so these name what that status can mean. */
const TUNNEL_MEANINGS: Readonly<Record<number, string>> = {
  429: 'too many requests running for this API key; lower maxConcurrency',
  502: 'the target could not be reached',
  503: 'no upstream is usable, or the wait is longer than the gateway holds requests',
  504: 'the target did not answer in time',
  523: 'the gateway does not allow this target; for private addresses start it with --allow-private',
};

/** Statuses of refused tunnels that say nothing about the session. */
const FINE_STATUSES: ReadonlySet<number> = new Set([429, 503, 523]);

/**
 * Finds an answer of the gateway's own among answers that came through it. In a blind tunnel the target's own header
 * fields arrive untouched, so that nothing in them is to be trusted.
 *
 * @param seesInside whether the gateway looks inside tunnels, and is known to by its certificate
 */
export function readGatewayAnswer(response: BaseHttpResponseData, seesInside = false): GatewayAnswer | undefined {
  const { url, statusCode } = response;
  if (!seesInside && !url.startsWith('http:')) return undefined;
  const code = headerOf(response, HEADER.error);
  // A server of the protocol names the code of its own errors; some other proxy's 407 has neither code nor version.
  const isForeign407 = statusCode === 407 && headerOf(response, HEADER.version) === undefined;
  if (code === undefined && !isForeign407) return undefined;
  const retryAfterMs = Number(headerOf(response, HEADER.retryAfter) ?? Number.NaN) * 1000;
  return { code, status: statusCode, retryAfterMs: Number.isFinite(retryAfterMs) ? retryAfterMs : undefined };
}

/** What an answer through the gateway tells of its session; nothing in a blind tunnel, see `readGatewayAnswer`. */
export function readSessionNews(
  response: BaseHttpResponseData,
  seesInside = false,
): {
  readonly id?: string;
  readonly outgoingIp?: string;
  readonly nextUseInMs?: number;
} {
  if (!seesInside && !response.url.startsWith('http:')) return {};
  const id = headerOf(response, HEADER.session);
  const outgoingIp = headerOf(response, HEADER.outgoingIp);
  // Integer seconds on the wire; a decimal is read too, see "Units of X-Crawlera-Next-Request-In" of the protocol.
  const nextUseInMs = Number(headerOf(response, HEADER.nextRequestIn) ?? Number.NaN) * 1000;
  return {
    ...(id === undefined ? {} : { id }),
    ...(outgoingIp === undefined ? {} : { outgoingIp: withoutPort(outgoingIp) }),
    ...(Number.isFinite(nextUseInMs) ? { nextUseInMs } : {}),
  };
}

/** Reads which status a tunnel was refused with; undefined if the error is no refused tunnel. */
export function readTunnelStatus(error: unknown): number | undefined {
  const status = error instanceof Error ? TUNNEL_STATUS.exec(error.message)?.[1] : undefined;
  return status === undefined ? undefined : Number(status);
}

/** Judges an answer of the gateway's own. `text` is its body, `proxySessionId` the session it was about. */
export function judgeAnswer(
  { code, status, retryAfterMs }: Pick<GatewayAnswer, 'code' | 'status'> & Partial<GatewayAnswer>,
  context: {
    readonly text: string;
    readonly gatewayUrl: string;
    readonly targetUrl: string;
    readonly proxySessionId: string | undefined;
  },
): Verdict {
  if (status === 407 || code === 'bad_proxy_auth') {
    return { error: wrongApiKey(context.gatewayUrl), isSessionFine: true };
  }
  if (code === 'bad_session_id' && context.proxySessionId !== undefined) {
    return { error: sessionLost(context.proxySessionId), isSessionFine: false };
  }
  if (code === 'banned' && context.proxySessionId !== undefined) {
    const { hostname: host } = new URL(context.targetUrl);
    return { error: sessionBanned(context.proxySessionId, { host, retryAfterMs }), isSessionFine: false };
  }
  const said = context.text.trim().slice(0, MAX_TOLD_LENGTH) || 'no reason given';
  const message = `The gateway answered ${status} ${code ?? ''} for ${context.targetUrl}: ${said}`;
  const error = code === 'serverbusy' ? gatewayBusy(message) : new Error(withoutRotationWords(message));
  return { error, isSessionFine: isFine(code) };
}

/**
 * Judges a tunnel that was refused although the gateway knows both key and session.
 *
 * @param isBusy whether others wait for the session's outgoing IP
 */
export function judgeTunnel(
  status: number,
  { targetUrl, isBusy, cause }: { readonly targetUrl: string; readonly isBusy: boolean; readonly cause: unknown },
): Verdict {
  const meaning = TUNNEL_MEANINGS[status] ?? 'see its log for the reason';
  const message = `The gateway opened no tunnel for ${targetUrl}: ${status}, ${meaning}`;
  if (status === 503 && isBusy) return { error: gatewayBusy(message, cause), isSessionFine: true };
  return { error: withCause(new Error(message), cause), isSessionFine: FINE_STATUSES.has(status) };
}

/** Whether a failure says nothing about the session: others are waiting, or the gateway can't. */
function isFine(code: string | undefined): boolean {
  return ['serverbusy', 'too_many_conns', 'user_session_limit', 'noslaves', 'domain_forbidden'].includes(code ?? '');
}

/**
 * The value of a header field. `sendRequest()` of Crawlee 3.13 copies a response member by member and so loses those
 * that are getters, `headers` among them; the raw fields are no getter.
 */
function headerOf(response: BaseHttpResponseData, name: string): string | undefined {
  const { headers, rawHeaders = [] }: Partial<HeaderMembers> = response;
  const value = headers?.[name.toLowerCase()];
  return (Array.isArray(value) ? value[0] : value) ?? valuesOf(rawHeaders, name)[0];
}

interface HeaderMembers {
  readonly headers: BaseHttpResponseData['headers'];
  readonly rawHeaders: RawHeaders;
}

function withoutPort(address: string): string {
  return /^\[(.+)\](?::\d+)?$/.exec(address)?.[1] ?? address.replace(/^([^:]+):\d+$/, '$1');
}
