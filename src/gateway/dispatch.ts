// The first steps of every request: is it for the API or for a target, whose API key is it, what does it ask for.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { readBasicAuth } from '../protocol/basic-auth.js';
import { type Directives, readDirectives } from '../protocol/directives.js';
import { HEADER } from '../protocol/header-names.js';
import { valuesOf } from '../protocol/raw-headers.js';
import { GatewayError } from '../sessions/errors.js';
import { answerRequest, answerSocket, asGatewayError } from './answer.js';
import { type GatewayContext, whileOpen } from './context.js';
import { forward } from './forward.js';
import { readConnectTarget, readRequestTarget } from './request-target.js';
import { tunnel } from './tunnel.js';

/** Serves the paths of the API. */
export type ApiListener = (req: IncomingMessage, res: ServerResponse) => void;

/** Makes the handlers of parsed requests and CONNECTs. */
export function createDispatch(context: GatewayContext, serveApi: ApiListener) {
  return {
    onRequest(req: IncomingMessage, res: ServerResponse): void {
      // Without a listener, an error on a connection that is already torn down would end the process.
      res.on('error', () => undefined);
      try {
        const asked = readRequestTarget(req.url ?? '', context.isOwnAuthority);
        if (asked.kind === 'api') {
          req.url = asked.path;
          return serveApi(req, res);
        }
        const { owner, directives } = admit(context, req);
        if (asked.kind === 'bad') throw asked.error;
        void whileOpen(context, forward(context, { req, res, owner, directives, ...asked }));
      } catch (thrown) {
        const error = reject(context, req, thrown);
        answerRequest({ req, res }, error, sentSessionOf(req));
      }
    },

    async onConnect(req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
      try {
        const { owner, directives } = admit(context, req);
        const target = readConnectTarget(req.url ?? '');
        await whileOpen(context, tunnel(context, { socket, head, owner, directives, target }));
      } catch (thrown) {
        const error = reject(context, req, thrown);
        answerSocket(socket, error, sentSessionOf(req));
      }
    },
  };
}

/** Checks the API key, then reads what the request asks for. @throws GatewayError */
function admit(context: GatewayContext, req: IncomingMessage): { owner: string; directives: Directives } {
  const credentials = readBasicAuth(req.headers['proxy-authorization']);
  const apiKey = credentials && context.authenticate(credentials.user);
  if (credentials === undefined || apiKey === undefined) {
    const message =
      credentials === undefined
        ? 'This proxy needs an API key: send it as the user name of the proxy credentials, as in http://KEY:@host:port'
        : 'Incorrect authentication data: this gateway does not know the API key; the user name must be the key';
    throw new GatewayError('bad_proxy_auth', message);
  }
  const directives = readDirectives({ headers: req.rawHeaders, password: credentials.password });
  return { owner: apiKey.id, directives };
}

function reject(context: GatewayContext, req: IncomingMessage, thrown: unknown): GatewayError {
  const error = asGatewayError(thrown);
  const remote = req.socket.remoteAddress ?? 'unknown';
  if (error.code === 'internal_error') context.emit({ type: 'gateway.failure', error: thrown, during: 'dispatch' });
  else context.emit({ type: 'request.rejected', error: error.code, message: error.message, remote });
  return error;
}

function sentSessionOf(req: IncomingMessage): string | undefined {
  const [value, ...more] = valuesOf(req.rawHeaders, HEADER.session);
  return more.length === 0 ? value : undefined;
}
