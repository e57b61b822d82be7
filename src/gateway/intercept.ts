// A CONNECT that the gateway answers itself, so that it sees the requests inside. The answer comes at once; all that
// can be wrong is told inside, where clients can read it. What is no HTTP goes on as a blind tunnel.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HEADER } from '../protocol/header-names.js';
import type { RawHeaders } from '../protocol/raw-headers.js';
import { VERSION } from '../protocol/version.js';
import type { GatewayError } from '../sessions/errors.js';
import { type Credentials, readAsked } from './admission.js';
import { asGatewayError, headOf } from './answer.js';
import { acceptTls } from './client-tls.js';
import type { GatewayContext } from './context.js';
import type { InnerServer } from './inner-server.js';
import type { Target } from './request-target.js';
import { sniff } from './sniff.js';
import { tunnel } from './tunnel.js';
import { TunnelSession } from './tunnel-session.js';

/** Hosts whose refusals are remembered, so that each is told once; past that they are told again. */
const MAX_REFUSALS = 1000;

/** A CONNECT to look into. */
export interface InterceptedConnect extends Credentials {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly target: Target;
}

/** What is known of a tunnel that is looked into. */
export interface OpenTunnel extends Credentials {
  readonly target: Target;
  readonly isSecure: boolean;
  /** The name the client asked for by TLS, if it did. */
  readonly servername: string | undefined;
  /** Fields of the CONNECT, which hold for each request inside that does not say otherwise. */
  readonly defaults: RawHeaders;
  readonly session: TunnelSession;
}

/** Makes the handler of such CONNECTs; it resolves when the tunnel is closed, and never rejects. */
export function createIntercept(context: GatewayContext, inner: InnerServer<OpenTunnel>) {
  const tellRefusal = createRefusalTeller(context);

  async function openTls(connect: InterceptedConnect): Promise<void> {
    const { socket, target } = connect;
    const authority = await context.authority();
    const contextFor = (host: string) => authority.contextFor(host);
    const secured = await acceptTls({ socket, context: await contextFor(target.host), contextFor });
    if (secured instanceof TLSSocket) return serve(connect, secured);
    socket.destroy();
    tellRefusal(connect, secured);
  }

  function serve({ owner, password, req, target }: InterceptedConnect, socket: Socket): Promise<void> {
    const name = socket instanceof TLSSocket ? socket.servername : undefined;
    return inner.serve(socket, {
      owner,
      password,
      target,
      isSecure: socket instanceof TLSSocket,
      servername: typeof name === 'string' && name !== '' ? name : undefined,
      defaults: req.rawHeaders,
      session: new TunnelSession(),
    });
  }

  async function passBlind({ req, socket, owner, password, target }: InterceptedConnect): Promise<void> {
    const asked = readAsked(context, { headers: req.rawHeaders, defaults: [], password });
    const head = (socket.read() as Buffer | null) ?? Buffer.alloc(0);
    const onAnswered = (): void => undefined;
    await tunnel(context, { ...asked, socket, head, owner, target, wasAnswered: true, onAnswered });
  }

  return async function intercept(connect: InterceptedConnect): Promise<void> {
    const { socket, head } = connect;
    try {
      socket.write(headOf(200, 'Connection Established', [HEADER.version, VERSION]));
      if (head.length > 0) socket.unshift(head);
      const speech = await sniff(socket);
      if (speech === 'tls') await openTls(connect);
      else if (speech === 'http') await serve(connect, socket);
      else if (speech === 'gone' || context.options.intercept === 'always') socket.destroy();
      else await passBlind(connect);
    } catch (thrown) {
      socket.destroy();
      tellFailure(context, asGatewayError(thrown), thrown);
    }
  };
}

function tellFailure(context: GatewayContext, { code, message }: GatewayError, thrown: unknown): void {
  if (code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'intercept' });
  else context.emit({ type: 'request.rejected', error: code, message, remote: 'a tunnel' });
}

/** Tells once per host that clients break TLS off, and what to do about it. */
function createRefusalTeller({ emit }: GatewayContext) {
  const told = new Set<string>();
  return ({ target: { host }, socket }: InterceptedConnect, error: Error): void => {
    if (told.has(host)) return;
    if (told.size >= MAX_REFUSALS) told.clear();
    told.add(host);
    emit({
      type: 'certificate.refused',
      host,
      remote: socket.remoteAddress ?? 'unknown',
      message:
        `A client broke off TLS to ${isIP(host) === 6 ? `[${host}]` : host} (${reasonOf(error)}). ` +
        'If it does not trust this gateway: let it trust ca.crt (session-proxy ca), name a session in its credentials, ' +
        'or start the gateway with --intercept never',
    });
  };
}

/** The words of OpenSSL, without where in its source they stand. */
function reasonOf(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}
