// One call to a gateway: the request with its key and time limit, and what an answer that is no success means.
// Which calls there are is in `sessions-client.ts`.

import { HEADER } from '../protocol/header-names.js';
import { describeFailure, SessionsClientError } from './client-error.js';
import type { GatewayAddress } from './gateway-url.js';

/** A call. */
export interface GatewayCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With the query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** A successful answer. */
export interface GatewayAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Makes a call and reads the whole answer; does not follow redirects.
 *
 * @throws SessionsClientError if there is no answer in time, or one that is no success
 */
export async function callGateway(
  { url, apiKey }: GatewayAddress,
  call: GatewayCall,
  timeoutMs: number,
): Promise<GatewayAnswer> {
  const { response, text } = await send(url, call, {
    method: call.method,
    headers: {
      authorization: `Basic ${Buffer.from(`${apiKey}:`).toString('base64')}`,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((error: unknown) => {
    throw describeFailure(error, url, timeoutMs);
  });
  if (response.ok && !response.headers.has(HEADER.error)) return { status: response.status, text };
  throw refusalOf({ url, apiKey }, call, response, text);
}

/** An error for an answer that says success but does not hold what was asked for. */
export function unexpectedAnswer(url: string, { method, path }: GatewayCall, status: number): SessionsClientError {
  const what = `the answer of ${url} to ${method} ${path} is not one of a gateway's (${status})`;
  return new SessionsClientError(`${what}; is the address right?`, { code: 'unexpected_answer', status });
}

async function send(
  url: string,
  { path }: GatewayCall,
  init: RequestInit,
): Promise<{ readonly response: Response; readonly text: string }> {
  const response = await fetch(`${url}${path}`, init);
  return { response, text: await response.text() };
}

function refusalOf(
  { url, apiKey }: GatewayAddress,
  call: GatewayCall,
  { status, headers }: Response,
  text: string,
): SessionsClientError {
  const told = readErrorBody(text);
  const code = headers.get(HEADER.error) ?? told?.error ?? (status === 401 ? 'bad_auth' : undefined);
  if (code === undefined) return unexpectedAnswer(url, call, status);
  if (status === 401) {
    return new SessionsClientError(`the gateway at ${url} refused the API key (401 ${code})`, { code, status });
  }
  const reason = (told?.message ?? text).trim().slice(0, 300).replaceAll(apiKey, '***');
  const what = `the gateway at ${url} answered ${status} ${code} to ${call.method} ${call.path}`;
  const retryAfterSeconds = Number(headers.get(HEADER.retryAfter) ?? NaN);
  const retryAfterMs = Number.isFinite(retryAfterSeconds) ? retryAfterSeconds * 1000 : undefined;
  return new SessionsClientError(reason === '' ? what : `${what}: ${reason}`, { code, status, retryAfterMs });
}

function readErrorBody(text: string): { readonly error: string; readonly message: string | undefined } | undefined {
  const body = readJson(text);
  if (typeof body !== 'object' || body === null || !('error' in body) || typeof body.error !== 'string')
    return undefined;
  return {
    error: body.error,
    message: 'message' in body && typeof body.message === 'string' ? body.message : undefined,
  };
}

/** Reads JSON; undefined where it is none. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever asked decides what an answer that is no JSON means.
    return undefined;
  }
}
