// How answers of the gateway's own, and the errors of tunnels that it refused, are told from those of targets, and what
// stands in them. What that means is settled in `refusal-verdicts.ts`.

import type { BaseHttpResponseData } from '@crawlee/core';

import { HEADER } from '../protocol/header-names.js';
import { type RawHeaders, valuesOf } from '../protocol/raw-headers.js';

/** An answer that the gateway made itself. */
export interface GatewayAnswer {
  /** The protocol's word; undefined for a 407 of which it can't be told whose it is. */
  readonly code: string | undefined;
  readonly status: number;
  /** When to try again, in milliseconds, where it was told. */
  readonly retryAfterMs: number | undefined;
}

/**
 * Statuses of a refused tunnel, all that a client gets to see of it; got-scraping and http2-wrapper have three ways to
 * put it, one of which makes Crawlee rotate the session and two of which don't.
 *
 * @see https://github.com/apify/got-scraping/blob/v4.2.1/src/resolve-protocol.ts and src/agent/h1-proxy-agent.ts,
 *   https://github.com/szmarczak/http2-wrapper/blob/master/source/proxies/unexpected-status-code-error.js
 */
const TUNNEL_STATUS = /(?:proxy responded with|proxy server rejected the request with status code) (\d{3})/i;

/**
 * What browsers say of a tunnel that was refused, all that they do say: Chromium and Firefox.
 *
 * @see https://source.chromium.org/chromium/chromium/src/+/main:net/base/net_error_list.h
 */
const BROWSER_TUNNEL = /ERR_TUNNEL_CONNECTION_FAILED|NS_ERROR_PROXY_/;

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

/** Reads whether a browser was refused a tunnel, which is all that it says of it. */
export function isTunnelFailure({ message }: Error): boolean {
  return BROWSER_TUNNEL.test(message);
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
