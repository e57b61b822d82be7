// Transport 'headers': the session header on each request, the ID taken from the answer, and nothing of it beyond the
// gateway. Over https the header goes inside the tunnel; there the certificate of the gateway's own CA, and no other,
// tells that the gateway reads it. Which of parallel requests asks for the session is settled in `header-turns.ts`.

import { GotScrapingHttpClient } from '@crawlee/core';
import type { BaseHttpClient, BaseHttpResponseData, HttpRequest, RedirectHandler, ResponseTypes } from '@crawlee/core';

import { HEADER, isProtocolHeader } from '../protocol/header-names.js';
import type { Core } from './core.js';
import { notAGateway } from './errors.js';
import { readSessionNews } from './gateway-answers.js';
import { travel } from './gateway-trip.js';
import type { Trip } from './gateway-trip.js';
import { clientCannotKeepHeader, httpsNeedsCa, tunnelNotSeenInto } from './header-errors.js';
import { takeTurn } from './header-turns.js';
import type { HeaderTurn } from './header-turns.js';

/**
 * Sent beside the session, as the vendor's own clients do: Crawlee judges pages, makes its own browser headers and
 * keeps its own cookies.
 *
 * @see https://github.com/zytedata/zyte-smartproxy-puppeteer
 */
export const STEADY_HEADERS = {
  'X-Crawlera-No-Bancheck': '1',
  'X-Crawlera-Profile': 'pass',
  'X-Crawlera-Cookies': 'disable',
} as const;

/**
 * What Node says of a certificate that no CA of ours has signed.
 *
 * @see https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes
 */
const FOREIGN_CERTIFICATE = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/**
 * Refuses an HTTP client that can't be kept from taking the header along: certificates are verified and redirects
 * watched through options that only Crawlee's own client is known to heed.
 *
 * @throws TypeError
 */
export function refuseForeignClient({ transport }: Pick<Core, 'transport'>, client: BaseHttpClient): void {
  if (transport !== 'headers' || client instanceof GotScrapingHttpClient) return;
  throw clientCannotKeepHeader(client.constructor.name);
}

/**
 * Sends a request with the header of its session.
 *
 * @param send sends what it is given; a client that tells of redirects is to pass them on
 * @throws NonRetryableError for an https target, reached by redirect or not, before anything is sent there, if the
 *   gateway's CA is not known or somebody else answers inside the tunnel; else as `travel` does
 */
export async function sendWithHeader<T extends keyof ResponseTypes, R extends BaseHttpResponseData>(
  core: Core,
  trip: Omit<Trip, 'proxySessionId'>,
  request: HttpRequest<T>,
  send: (request: HttpRequest<T>, onRedirect: RedirectHandler) => Promise<R>,
): Promise<R> {
  const { url, session } = trip;
  const { ca } = core.options;
  if (ca === undefined && url.startsWith('https:')) throw httpsNeedsCa(url);
  if (session === undefined) {
    const prepared = trustingOnly(request, ca);
    return travel(core, { ...trip, proxySessionId: undefined }, () =>
      explained(
        core,
        url,
        send(prepared, () => {}),
      ),
    );
  }
  const turn = await takeTurn(core.bindings, session.id);
  const stop: RedirectStop = { url: undefined };
  try {
    const proxySessionId = turn.isFirst ? undefined : turn.value;
    const prepared = withHeader(trustingOnly(request, ca), {
      value: turn.value,
      mayEnterTunnels: ca !== undefined,
      stop,
    });
    const response = await travel(core, { ...trip, proxySessionId }, () =>
      explained(
        core,
        url,
        send(prepared, (answer, updated) => keepHeaderRight(turn, answer, updated, ca !== undefined)),
      ),
    );
    learnId(turn, response);
    if (stop.url !== undefined) throw httpsNeedsCa(stop.url);
    if (!turn.isSettled()) throw notAGateway(core.address.url, 'its answer names no session');
    return response;
  } finally {
    turn.settle(undefined);
  }
}

/** Where a redirect to https was met, and not followed. */
interface RedirectStop {
  url: string | undefined;
}

/**
 * Makes a request accept the gateway's CA in place of Node's roots, so that a tunnel that leads to a target, however
 * good its certificate, ends before the request is sent. This holds although Crawlee turns verification off by default.
 */
function trustingOnly<T extends keyof ResponseTypes>(request: HttpRequest<T>, ca: string | undefined): HttpRequest<T> {
  if (ca === undefined) return request;
  const { https } = request as { readonly https?: object };
  return {
    ...request,
    https: { ...https, rejectUnauthorized: true, certificateAuthority: ca },
    // Servers of the protocol speak HTTP/1.1 inside tunnels, and got's HTTP/2 would take a way of its own to TLS.
    http2: false,
  };
}

async function explained<R>({ address }: Core, url: string, sent: Promise<R>): Promise<R> {
  try {
    return await sent;
  } catch (error) {
    const isForeign = error instanceof Error && 'code' in error && FOREIGN_CERTIFICATE.has(String(error.code));
    throw isForeign ? tunnelNotSeenInto(url, address.url, error) : error;
  }
}

function withHeader<T extends keyof ResponseTypes>(
  request: HttpRequest<T>,
  {
    value,
    mayEnterTunnels,
    stop,
  }: { readonly value: string; readonly mayEnterTunnels: boolean; readonly stop: RedirectStop },
): HttpRequest<T> {
  const { followRedirect = true } = request;
  return {
    ...request,
    headers: { ...request.headers, ...STEADY_HEADERS, [HEADER.session]: value },
    followRedirect: (response: BaseHttpResponseData): boolean => {
      if (typeof followRedirect === 'function' ? !followRedirect(response) : !followRedirect) return false;
      const next = readRedirect(response);
      if (mayEnterTunnels || next?.protocol !== 'https:') return true;
      stop.url = next.href;
      return false;
    },
  };
}

/**
 * Keeps the header right while redirects are followed: the ID in place of `create`, so that no second session is made,
 * and nothing of ours on the way to an https target that is not known to be reached through the gateway's own TLS, for
 * HTTP clients that follow there all the same.
 */
function keepHeaderRight(
  turn: HeaderTurn,
  answer: BaseHttpResponseData,
  { url: nextUrl, headers }: Parameters<RedirectHandler>[1],
  mayEnterTunnels: boolean,
): void {
  const id = learnId(turn, answer);
  const isHttps = nextUrl !== undefined && new URL(nextUrl).protocol === 'https:';
  for (const name of Object.keys(headers)) {
    if (isHttps && !mayEnterTunnels && isProtocolHeader(name.toLowerCase())) delete headers[name];
    else if (id !== undefined && name.toLowerCase() === HEADER.session.toLowerCase()) headers[name] = id;
  }
}

function learnId(turn: HeaderTurn, answer: BaseHttpResponseData): string | undefined {
  const { id, outgoingIp } = readSessionNews(answer, true);
  if (id !== undefined) turn.settle({ id, outgoingIp });
  return id;
}

function readRedirect({ url, headers }: BaseHttpResponseData): URL | undefined {
  const { location } = headers;
  return typeof location === 'string' && URL.canParse(location, url) ? new URL(location, url) : undefined;
}
