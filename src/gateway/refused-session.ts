// Of which session a request is that was refused before anybody read what it asks for. Only for telling: what can't be
// read here is left out.

import type { IncomingMessage } from 'node:http';
import { readBasicAuth } from '../protocol/basic-auth.js';
import { sentSessionId } from '../protocol/directives.js';
import { GatewayError } from '../sessions/errors.js';
import { readAsked } from './admission.js';
import type { GatewayContext } from './context.js';
import type { RefusedSession } from './events.js';
import { readConnectTarget, readRequestTarget } from './request-target.js';

/** The session that a request on the listener itself names by its ID; undefined where it names none, or none that can be read. */
export function readRefusedSession(context: GatewayContext, req: IncomingMessage): RefusedSession | undefined {
  const credentials = readBasicAuth(req.headers['proxy-authorization']);
  const owner = credentials && context.authenticate(credentials.user)?.id;
  if (credentials === undefined || owner === undefined) return undefined;
  try {
    const { password } = credentials;
    const { directives } = readAsked(context, { headers: req.rawHeaders, defaults: [], password });
    const sessionId = sentSessionId(directives);
    const target = targetOf(context, req);
    return sessionId === undefined || target === undefined ? undefined : { owner, sessionId, target };
  } catch (error) {
    // What is wrong with it was the reason, or would have been the next.
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

function targetOf({ isOwnAuthority }: GatewayContext, { method, url = '' }: IncomingMessage): string | undefined {
  if (method === 'CONNECT') {
    const { host, port } = readConnectTarget(url);
    return `${host}:${port}`;
  }
  const asked = readRequestTarget(url, isOwnAuthority);
  return asked.kind === 'target' ? `${asked.target.host}:${asked.target.port}` : undefined;
}
