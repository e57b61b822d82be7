// From a parsed request to one whose wishes are known: it is counted, its control headers are read, and it gets the
// session of the tunnel around it where that has one to give.

import type { IncomingMessage } from 'node:http';
import { HEADER } from '../protocol/header-names.js';
import { valuesOf } from '../protocol/raw-headers.js';
import { isInDomains } from '../sessions/domains.js';
import type { SessionRef } from '../sessions/session.js';
import { type Asked, type Credentials, readAsked } from './admission.js';
import type { AskedRequest } from './asked-request.js';
import { type GatewayContext, whileOpen } from './context.js';
import type { OpenTunnel } from './intercept.js';
import { type Destination, overTls } from './request-target.js';

/** A request that was parsed, and whose API key is known. */
export interface Arrival extends Credentials {
  readonly req: IncomingMessage;
  readonly destination: Destination;
  /** Set where it came inside a tunnel that is looked into. */
  readonly tunnel: OpenTunnel | undefined;
}

/**
 * Serves a request.
 *
 * @param serve never rejects; gives the ID of the session that served it. It may call `leave` when the request counts no
 *   more as one in flight, though its connection goes on
 * @throws GatewayError where it is refused before that: too many at a time, or bad control headers
 */
export async function serveArrival(
  context: GatewayContext,
  arrival: Arrival,
  serve: (request: AskedRequest, leave: () => void) => Promise<string | undefined>,
): Promise<void> {
  const { req, owner, password, tunnel } = arrival;
  const leave = context.parallel.enter(owner);
  try {
    const asked = readAsked(context, { headers: req.rawHeaders, defaults: tunnel?.defaults ?? [], password });
    const serveIn = (session: SessionRef | undefined) => serve(requestOf(context, arrival, { asked, session }), leave);
    const served =
      isOfTunnel(arrival, asked) && tunnel !== undefined ? tunnel.session.serve(serveIn) : serveIn(undefined);
    await whileOpen<unknown>(context, served);
  } finally {
    leave();
  }
}

/** Field by field, and so below: objects as wide as this one are copied for each request, and copying by `...` is slow. */
function requestOf(
  { options }: GatewayContext,
  { req, owner, destination, tunnel }: Arrival,
  { asked, session }: { readonly asked: Asked; readonly session: SessionRef | undefined },
): AskedRequest {
  const { directives, echo } = asked;
  const going = directives.useHttps && !destination.isSecure ? overTls(destination) : destination;
  const { target, path, authority, isSecure } = going;
  const verify = !isInDomains(target.host, options.targets.insecure);
  return {
    directives,
    echo,
    req,
    owner,
    target,
    path,
    authority,
    isSecure,
    isInTunnel: tunnel !== undefined,
    secure: isSecure ? { servername: tunnel?.servername, verify } : undefined,
    session,
  };
}

/** Whether the session to make is the one that the CONNECT of its tunnel asked for. */
function isOfTunnel({ req, tunnel }: Arrival, { directives }: Asked): boolean {
  if (tunnel === undefined || directives.session?.kind !== 'create') return false;
  return valuesOf(req.rawHeaders, HEADER.session).length === 0;
}
