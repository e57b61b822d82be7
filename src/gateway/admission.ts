// Who asks, and what for: the API key, then the control headers. Nothing is counted or booked before both are known.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { readBasicAuth } from '../protocol/basic-auth.js';
import { dialectOf } from '../protocol/dialect.js';
import { type Directives, readDirectives, sentSessionId } from '../protocol/directives.js';
import { HEADER, ZYTE_HEADER } from '../protocol/header-names.js';
import { type RawHeaders, valuesOf } from '../protocol/raw-headers.js';
import { GatewayError } from '../sessions/errors.js';
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

/** What a connection was let in with. */
interface LetIn {
  readonly field: string;
  readonly credentials: Credentials;
}

/**
 * Clients send the same field with each request of a connection, and checking it costs as much as finding the session.
 * Kept by connection, and only where it was right: there, nobody learns a key from how long a wrong one takes who has not
 * sent the right one.
 */
const letIn = new WeakMap<Socket, LetIn>();

/** Checks the API key. @throws GatewayError `bad_proxy_auth` */
export function authenticate(context: GatewayContext, { headers, socket }: IncomingMessage): Credentials {
  const field = headers['proxy-authorization'];
  const before = letIn.get(socket);
  if (before !== undefined && before.field === field) return before.credentials;
  const credentials = check(context, field);
  if (field !== undefined) letIn.set(socket, { field, credentials });
  return credentials;
}

function check(context: GatewayContext, field: string | undefined): Credentials {
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
  return { directives, echo: { dialect: dialectOf(headers, defaults), sentSession: sentSessionId(directives) } };
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
