// The first steps of every request: is it for the API or for a target, whose API key is it, what does it ask for. Then
// it goes its way: forwarded, upgraded, tunnelled, or into a tunnel that is looked into, whose requests come back here.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { readCredentialParameters } from '../protocol/credentials.js';
import { namesSession } from '../protocol/directives.js';
import type { RawHeaders } from '../protocol/raw-headers.js';
import { GatewayError } from '../sessions/errors.js';
import { authenticate, type Credentials, echoOf, readAsked } from './admission.js';
import { answerRequest, answerSocket, asGatewayError } from './answer.js';
import { type GatewayContext, whileOpen } from './context.js';
import type { RefusedSession } from './events.js';
import { forward } from './forward.js';
import { InnerServer } from './inner-server.js';
import { createIntercept, type OpenTunnel } from './intercept.js';
import type { ProxyHandlers } from './proxy-server.js';
import { responseOn } from './raw-response.js';
import { readRefusedSession } from './refused-session.js';
import { destinationInTunnel, readConnectTarget, readRequestTarget } from './request-target.js';
import { type Arrival, serveArrival } from './serve-arrival.js';
import { type BlindTunnel, tunnel } from './tunnel.js';
import { upgrade } from './upgrade.js';

/** Serves the paths of the API. */
export type ApiListener = (req: IncomingMessage, res: ServerResponse) => void;

/** What the listener hands over to, and how its tunnels end. */
export interface Dispatch extends Omit<ProxyHandlers, 'onRejected'> {
  /** Closes tunnels that are looked into, each as soon as nothing runs in it. */
  readonly drainTunnels: () => void;
}

interface Asking {
  readonly req: IncomingMessage;
  /** Fields of the CONNECT around it. */
  readonly defaults?: RawHeaders | undefined;
}

/** Makes the handlers of parsed requests, upgrades and CONNECTs. */
export function createDispatch(context: GatewayContext, serveApi: ApiListener): Dispatch {
  const inner = new InnerServer<OpenTunnel>({
    onRequest: (open, req, res) =>
      void answered({ req, res, defaults: open.defaults }, () => forwardArrival(inTunnel(open, req), res)),
    onUpgrade: (open, req, socket, head) =>
      answeredRaw({ req, socket, ...open }, () => upgradeArrival(inTunnel(open, req), { socket, head })),
    onConnect: (_, req, socket) => void answeredRaw({ req, socket }, refuseInnerConnect),
    onRejected: (error, socket) => tellRejected(context, error, socket),
  });
  const intercept = createIntercept(context, inner);

  function forwardArrival(arrival: Arrival, res: ServerResponse): Promise<void> {
    return serveArrival(context, arrival, (request) => forward(context, { request, res }));
  }

  function upgradeArrival(arrival: Arrival, ends: { readonly socket: Socket; readonly head: Buffer }): Promise<void> {
    return serveArrival(context, arrival, (request, leave) =>
      upgrade(context, { ...request, ...ends, onAnswered: leave }),
    );
  }

  /** Runs a step; what it throws, before it answered, is the answer. */
  async function answered(
    { req, res, defaults }: Asking & { readonly res: ServerResponse },
    run: () => Promise<void>,
  ): Promise<void> {
    // Without a listener, an error on a connection that is already torn down would end the process.
    res.on('error', ignoreError);
    try {
      await run();
    } catch (thrown) {
      answerRequest({ req, res }, reject(context, req, thrown), echoOf({ headers: req.rawHeaders, defaults }));
    }
  }

  async function answeredRaw<T>(
    { req, socket, defaults }: Asking & { readonly socket: Socket },
    run: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await run();
    } catch (thrown) {
      answerSocket(socket, reject(context, req, thrown), echoOf({ headers: req.rawHeaders, defaults }));
      return undefined;
    }
  }

  /**
   * A request on the listener itself: into the API, or to where its request line says. Asynchronous even where it refuses at
   * once: in the middle of the parser's work a request is not complete yet, and its connection would be closed for that.
   */
  async function outside(req: IncomingMessage, toApi: () => void, serve: (arrival: Arrival) => Promise<void>) {
    const asked = readRequestTarget(req.url ?? '', context.isOwnAuthority);
    if (asked.kind === 'api') {
      req.url = asked.path;
      return toApi();
    }
    const { owner, password } = authenticate(context, req);
    if (asked.kind === 'bad') throw asked.error;
    return serve({ owner, password, req, destination: asked, tunnel: undefined });
  }

  async function connect(req: IncomingMessage, socket: Socket, head: Buffer): Promise<BlindTunnel | undefined> {
    const credentials = authenticate(context, req);
    const target = readConnectTarget(req.url ?? '');
    if (looksInside(context, req, credentials)) {
      await intercept({ ...credentials, req, socket, head, target });
      return undefined;
    }
    const leave = context.parallel.enter(credentials.owner);
    try {
      const { owner, password } = credentials;
      const { directives, echo } = readAsked(context, { headers: req.rawHeaders, defaults: [], password });
      const asked = { directives, echo, owner, target, socket, head, wasAnswered: false, onAnswered: leave };
      const open = await whileOpen(context, tunnel(context, asked));
      if (open !== undefined) void whileOpen(context, open.closed);
      return open;
    } finally {
      leave();
    }
  }

  return {
    onRequest: (req, res) =>
      void answered({ req, res }, () =>
        outside(
          req,
          () => serveApi(req, res),
          (arrival) => forwardArrival(arrival, res),
        ),
      ),
    onUpgrade: (req, socket, head) =>
      answeredRaw({ req, socket }, () =>
        outside(
          req,
          () => serveApi(req, responseOn(req, socket)),
          (arrival) => upgradeArrival(arrival, { socket, head }),
        ),
      ),
    onConnect: (req, socket, head) => answeredRaw({ req, socket }, () => connect(req, socket, head)),
    drainTunnels: () => inner.drain(),
  };
}

/** Whether a CONNECT is answered by the gateway itself. @throws GatewayError for credentials that can't be understood */
function looksInside({ options }: GatewayContext, req: IncomingMessage, { password }: Credentials): boolean {
  if (options.intercept !== 'auto') return options.intercept === 'always';
  // Whether they name a session can't be known: better told here than by a certificate that nobody expects.
  readCredentialParameters(password);
  return !namesSession({ headers: req.rawHeaders, password });
}

function inTunnel(tunnelled: OpenTunnel, req: IncomingMessage): Arrival {
  const { owner, password } = tunnelled;
  return { owner, password, req, destination: destinationInTunnel(req.url ?? '/', tunnelled), tunnel: tunnelled };
}

function ignoreError(): void {}

function refuseInnerConnect(): Promise<void> {
  throw new GatewayError('bad_request', 'A CONNECT inside a tunnel leads nowhere; send it on a connection of its own');
}

function reject(context: GatewayContext, req: IncomingMessage, thrown: unknown): GatewayError {
  const error = asGatewayError(thrown);
  if (error.code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'dispatch' });
  else tellRejected(context, error, req.socket, readRefusedSession(context, req));
  return error;
}

function tellRejected(
  { emit }: GatewayContext,
  { code, message }: GatewayError,
  socket: Socket,
  refused?: RefusedSession,
): void {
  emit({ type: 'request.rejected', error: code, message, remote: socket.remoteAddress ?? 'unknown', refused });
}
