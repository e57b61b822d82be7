// Transport 'headers': the session header on each request, the ID taken from the answer, and nothing of it beyond the
// gateway. Which of parallel requests asks for the session is settled in `header-turns.ts`.

import type { BaseHttpResponseData, HttpRequest, RedirectHandler, ResponseTypes } from '@crawlee/core';

import { HEADER, isProtocolHeader } from '../protocol/header-names.js';
import type { Core } from './core.js';
import { httpsNeedsCredentials, notAGateway } from './errors.js';
import { readSessionNews } from './gateway-answers.js';
import { travel } from './gateway-trip.js';
import type { Trip } from './gateway-trip.js';
import { takeTurn } from './header-turns.js';
import type { HeaderTurn } from './header-turns.js';

/**
 * Sent beside the session, as the vendor's own clients do: Crawlee judges pages, makes its own browser headers and
 * keeps its own cookies.
 *
 * @see https://github.com/zytedata/zyte-smartproxy-puppeteer
 */
const STEADY_HEADERS = {
  'X-Crawlera-No-Bancheck': '1',
  'X-Crawlera-Profile': 'pass',
  'X-Crawlera-Cookies': 'disable',
} as const;

/**
 * Sends a request with the header of its session.
 *
 * @param send sends what it is given; a client that tells of redirects is to pass them on
 * @throws NonRetryableError for an https target, reached by redirect or not, before anything is sent there; else as
 *   `travel` does
 */
export async function sendWithHeader<T extends keyof ResponseTypes, R extends BaseHttpResponseData>(
  core: Core,
  trip: Omit<Trip, 'proxySessionId'>,
  request: HttpRequest<T>,
  send: (request: HttpRequest<T>, onRedirect: RedirectHandler) => Promise<R>,
): Promise<R> {
  const { url, session } = trip;
  if (url.startsWith('https:')) throw httpsNeedsCredentials(url);
  if (session === undefined) return travel(core, { ...trip, proxySessionId: undefined }, () => send(request, () => {}));
  const turn = await takeTurn(core.bindings, session.id);
  const stop: RedirectStop = { url: undefined };
  try {
    const proxySessionId = turn.isFirst ? undefined : turn.value;
    const response = await travel(core, { ...trip, proxySessionId }, () =>
      send(withHeader(request, turn.value, stop), (answer, updated) =>
        keepHeaderRight(turn, answer, updated.headers, updated.url),
      ),
    );
    learnId(turn, response);
    if (stop.url !== undefined) throw httpsNeedsCredentials(stop.url);
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

function withHeader<T extends keyof ResponseTypes>(
  request: HttpRequest<T>,
  value: string,
  stop: RedirectStop,
): HttpRequest<T> {
  const { followRedirect = true } = request;
  return {
    ...request,
    headers: { ...request.headers, ...STEADY_HEADERS, [HEADER.session]: value },
    followRedirect: (response: BaseHttpResponseData): boolean => {
      if (typeof followRedirect === 'function' ? !followRedirect(response) : !followRedirect) return false;
      const next = readRedirect(response);
      if (next?.protocol !== 'https:') return true;
      stop.url = next.href;
      return false;
    },
  };
}

/**
 * Keeps the header right while redirects are followed: the ID in place of `create`, so that no second session is made,
 * and nothing of ours on the way to an https target, for HTTP clients that follow there all the same.
 */
function keepHeaderRight(
  turn: HeaderTurn,
  answer: BaseHttpResponseData,
  headers: Record<string, string | string[] | undefined>,
  nextUrl: string | URL | undefined,
): void {
  const id = learnId(turn, answer);
  const isHttps = nextUrl !== undefined && new URL(nextUrl).protocol === 'https:';
  for (const name of Object.keys(headers)) {
    if (isHttps && isProtocolHeader(name.toLowerCase())) delete headers[name];
    else if (id !== undefined && name.toLowerCase() === HEADER.session.toLowerCase()) headers[name] = id;
  }
}

function learnId(turn: HeaderTurn, answer: BaseHttpResponseData): string | undefined {
  const { id, outgoingIp } = readSessionNews(answer);
  if (id !== undefined) turn.settle({ id, outgoingIp });
  return id;
}

function readRedirect({ url, headers }: BaseHttpResponseData): URL | undefined {
  const { location } = headers;
  return typeof location === 'string' && URL.canParse(location, url) ? new URL(location, url) : undefined;
}
