// What all routes share: who may ask (no other web site's page, and the API key where one is needed), how an error is
// told, and fields in their exact case, which web headers don't keep.

import { TLSSocket } from 'node:tls';
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import ipaddr from 'ipaddr.js';
import { readBasicAuth } from '../../protocol/basic-auth.js';
import type { ApiErrorBody } from '../../protocol/rest.js';
import { WIRE_ERRORS } from '../../protocol/wire-errors.js';
import { GatewayError } from '../../sessions/errors.js';
import { errorHeaders } from '../answer.js';
import type { GatewayContext } from '../context.js';

/** What hono hands to a route. `owner` is set behind `needsApiKey`. */
export interface RouteEnv {
  Bindings: HttpBindings;
  Variables: { owner: string };
}

export type RouteContext = Context<RouteEnv>;

/**
 * Refuses what a page of another site could send through its reader's browser: by what the browser says of the
 * request, and on a loopback listener by a `Host` that is a foreign name (DNS rebinding).
 */
export function refuseForeignPages(
  { options }: GatewayContext,
  isLoopback: () => boolean,
): MiddlewareHandler<RouteEnv> {
  return async (c, next) => {
    const site = c.req.header('sec-fetch-site');
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return c.json({ error: 'forbidden', message: 'Pages of other sites may not use this API' }, 403);
    }
    const host = c.req.header('host');
    const origin = c.req.header('origin');
    const isSecure = c.env.incoming.socket instanceof TLSSocket;
    if (origin !== undefined && origin !== `${isSecure ? 'https' : 'http'}://${host}`) {
      return c.json({ error: 'forbidden', message: 'The Origin of this request is another site' }, 403);
    }
    if (host !== undefined && isLoopback() && !isLocalHost(host, options.publicHosts)) {
      const message = `This gateway is not reached as "${host}"; list that name in publicHosts if it should be`;
      return c.json({ error: 'forbidden', message }, 403);
    }
    return next();
  };
}

/** Requires the API key as the user of `Authorization`, or of `Proxy-Authorization`, which some clients send here. */
export function needsApiKey({ authenticate }: GatewayContext): MiddlewareHandler<RouteEnv> {
  return async (c, next) => {
    const credentials = readBasicAuth(c.req.header('authorization') ?? c.req.header('proxy-authorization'));
    const apiKey = credentials && authenticate(credentials.user);
    if (apiKey === undefined) {
      throw new GatewayError('bad_auth', 'Send the API key as user name with an empty password, as curl -u KEY: does');
    }
    c.set('owner', apiKey.id);
    return next();
  };
}

/** Tells an error: as JSON under `/api`, as a line of text elsewhere. `status` replaces the protocol's own. */
export function tellError(c: RouteContext, error: GatewayError, status = WIRE_ERRORS[error.code].status): Response {
  setExact(c, errorHeaders(error));
  const { message, code } = error;
  const body = isJsonRoute(c) ? JSON.stringify({ error: code, message } satisfies ApiErrorBody) : `${message}\n`;
  const type = isJsonRoute(c) ? 'application/json' : 'text/plain; charset=utf-8';
  return new Response(body, { status, headers: { 'Content-Type': type } });
}

/** Tells that a path or method is none of ours; these carry no error code, since the protocol has none. */
export function tellUnknown(c: RouteContext, { status, message }: { status: 404 | 405; message: string }): Response {
  if (!isJsonRoute(c)) return c.text(`${message}\n`, status);
  return c.json({ error: status === 404 ? 'not_found' : 'method_not_allowed', message }, status);
}

/** Answers other methods of a path with 405 and those it has. */
export function onlyMethods(...methods: readonly string[]): (c: RouteContext) => Response {
  return (c) => {
    c.header('Allow', methods.join(', '));
    return tellUnknown(c, { status: 405, message: `${c.req.path} takes ${methods.join(', ')}, not ${c.req.method}` });
  };
}

/** Sets fields on the answer in exactly this case. */
export function setExact(c: RouteContext, headers: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    c.env.outgoing.setHeader(headers[index] as string, headers[index + 1] as string);
  }
}

function isJsonRoute(c: RouteContext): boolean {
  return c.req.path.startsWith('/api/');
}

function isLocalHost(host: string, publicHosts: readonly string[]): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
  return name === 'localhost' || publicHosts.includes(name) || ipaddr.isValid(name);
}
