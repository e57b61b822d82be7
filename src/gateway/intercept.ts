// A CONNECT that the gateway answers itself, so that it sees the requests inside. The answer comes at once; all that
// can be wrong is told inside, where clients can read it. What is no HTTP goes on as a blind tunnel.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HEADER } from '../protocol/header-names.js';
import type { RawHeaders } from '../protocol/raw-headers.js';
import { VERSION } from '../protocol/version.js';
import { type Credentials, readAsked } from './admission.js';
import { asGatewayError, headOf } from './answer.js';
import { acceptTls } from './client-tls.js';
import { type GatewayContext, whileOpen } from './context.js';
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
  const opening = new OpeningTunnels(context.closing);

  /** Puts TLS on it; undefined where the client broke off. */
  async function openTls(connect: InterceptedConnect): Promise<TLSSocket | undefined> {
    const { socket, target } = connect;
    const authority = await context.authority();
    const contextFor = (host: string) => authority.contextFor(host);
    const secured = await acceptTls({ socket, context: await contextFor(target.host), contextFor });
    if (secured instanceof TLSSocket) return secured;
    if (!context.closing.aborted) tellRefusal(connect, secured);
    return undefined;
  }

  /** Finds out what is spoken; undefined where there is nothing to go on with. */
  async function open(connect: InterceptedConnect): Promise<Socket | 'blind' | undefined> {
    const speech = await sniff(connect.socket);
    if (speech === 'tls') return openTls(connect);
    if (speech === 'http') return connect.socket;
    return speech === 'gone' || context.options.intercept === 'always' ? undefined : 'blind';
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
    const request = { ...asked, socket, head, owner, target, wasAnswered: true, onAnswered };
    const opened = await whileOpen(context, tunnel(context, request));
    if (opened !== undefined) await whileOpen(context, opened.closed);
  }

  return async function intercept(connect: InterceptedConnect): Promise<void> {
    const { socket, head } = connect;
    try {
      socket.write(headOf(200, 'Connection Established', [HEADER.version, VERSION]));
      if (head.length > 0) socket.unshift(head);
      const opened = await opening.watch(socket, open(connect));
      if (opened === undefined) socket.destroy();
      else if (opened === 'blind') await passBlind(connect);
      else await serve(connect, opened);
    } catch (thrown) {
      tellFailure(context, connect, thrown);
      socket.destroy();
    }
  };
}

/** Tunnels in which nothing runs yet. They are closed when the gateway closes; bounded by its connections. */
class OpeningTunnels {
  readonly #sockets = new Set<Socket>();
  readonly #closing: AbortSignal;

  constructor(closing: AbortSignal) {
    this.#closing = closing;
    closing.addEventListener('abort', () => {
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /** Waits for what comes of one. */
  async watch<T>(socket: Socket, opened: Promise<T>): Promise<T> {
    this.#sockets.add(socket);
    if (this.#closing.aborted) socket.destroy();
    try {
      return await opened;
    } finally {
      this.#sockets.delete(socket);
    }
  }
}

function tellFailure({ emit }: GatewayContext, { socket }: InterceptedConnect, thrown: unknown): void {
  const { code, message } = asGatewayError(thrown);
  if (code === 'internal_error') emit({ type: 'gateway.failure', error: thrown, during: 'intercept' });
  else emit({ type: 'request.rejected', error: code, message, remote: socket.remoteAddress ?? 'unknown' });
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
