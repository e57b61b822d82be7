// Who asks, and what for: the API key, then the control headers. Nothing is counted or booked before both are known.

import type { IncomingMessage } from 'node:http';
import { readBasicAuth } from '../protocol/basic-auth.js';
import { dialectOf } from '../protocol/dialect.js';
import { type Directives, readDirectives, sentSessionId } from '../protocol/directives.js';
import { HEADER, ZYTE_HEADER } from '../protocol/header-names.js';
import { type RawHeaders, valuesOf } from '../protocol/raw-headers.js';
import { GatewayError } from '../sessions/errors.js';
import { remembered } from '../upstreams/remembered.js';
import type { Echo } from './answer.js';
import type { GatewayContext } from './context.js';

/** Whose API key a request has, and what else its credentials say. */
export interface Credentials {
  /** Names the API key. */
  readonly owner: string;
  readonly password: string;
}

/** What a request asks for, and what an error answer takes from it. */
export interface Asked {
  readonly directives: Directives;
  readonly echo: Echo;
}

/** Where directives stand: in the request, and in the CONNECT of the tunnel around it. */
export interface AskedIn {
  readonly headers: RawHeaders;
  readonly defaults: RawHeaders;
  readonly password: string;
}

/**
 * The check of each gateway. Clients send the same field again and again, and checking it costs more than finding the
 * session. Only right ones are remembered, for wrong ones throw. How long it takes to find none tells nothing of them: texts
 * are first compared by a hash that nobody knows.
 */
const checks = new WeakMap<GatewayContext, (field: string) => Credentials>();

/** Checks the API key. @throws GatewayError `bad_proxy_auth` */
export function authenticate(context: GatewayContext, { headers }: IncomingMessage): Credentials {
  const known = checks.get(context);
  const checked = known ?? remembered((field) => check(context, field));
  if (known === undefined) checks.set(context, checked);
  return checked(headers['proxy-authorization'] ?? '');
}

function check(context: GatewayContext, field: string): Credentials {
  const credentials = readBasicAuth(field);
  const apiKey = credentials && context.authenticate(credentials.user);
  if (credentials !== undefined && apiKey !== undefined) return { owner: apiKey.id, password: credentials.password };
  const message =
    credentials === undefined
      ? 'This proxy needs an API key: send it as the user name of the proxy credentials, as in http://KEY:@host:port'
      : 'Incorrect authentication data: this gateway does not know the API key; the user name must be the key';
  throw new GatewayError('bad_proxy_auth', message);
}

/** Reads what a request asks for. @throws GatewayError `bad_header`, `bad_session_id` */
export function readAsked({ options }: GatewayContext, asked: AskedIn): Asked {
  const { headers, defaults, password } = asked;
  const directives = readDirectives({ headers, defaults, password, regionConflict: options.regionConflict });
  return { directives, echo: { dialect: directives.dialect, sentSession: sentSessionId(directives) } };
}

interface EchoSource {
  readonly headers: RawHeaders;
  readonly defaults?: RawHeaders | undefined;
}

/** What an error answer takes from a request whose directives can't be read. */
export function echoOf({ headers, defaults = [] }: EchoSource): Echo {
  const dialect = dialectOf(headers, defaults);
  const name = dialect === 'zyte' ? ZYTE_HEADER.session : HEADER.session;
  const own = valuesOf(headers, name);
  const [value, ...more] = own.length > 0 ? own : valuesOf(defaults, name);
  return { dialect, sentSession: more.length === 0 ? value : undefined };
}
