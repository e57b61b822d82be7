// The listener: proxy-chain's server with its seams set for this protocol. The one file that knows proxy-chain; it
// parses, and hands each request and CONNECT to a handler.

import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Server } from 'proxy-chain';
import { GatewayError } from '../sessions/errors.js';
import { MAX_HEADER_BYTES } from '../upstreams/exchange.js';
import { answerSocket } from './answer.js';

/** A head that takes longer than this is given up; the body has no such bound, for held uploads are legal. */
const HEADERS_TIMEOUT_MS = 60_000;

/** Idle keep-alive connections are closed after this long: above the usual 60 s of clients and balancers. */
const KEEP_ALIVE_MS = 75_000;

/** Takes what the listener has parsed. Handlers don't reject. */
export interface ProxyHandlers {
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => void;
  /** Resolves when the tunnel is closed, or the CONNECT refused. */
  readonly onConnect: (req: IncomingMessage, socket: Socket, head: Buffer) => Promise<void>;
  /** Told of a request that could not be parsed; it has been answered. */
  readonly onRejected: (error: GatewayError, socket: Socket) => void;
}

/** Listens, parses and counts connections. */
export class ProxyServer extends Server {
  readonly #handlers: ProxyHandlers;
  /** Exchanges and tunnels that run on a connection. */
  readonly #running = new WeakMap<Socket, number>();
  #draining = false;

  constructor({ host, port, ...handlers }: ProxyHandlers & { readonly host: string; readonly port: number }) {
    super({ host, port });
    this.#handlers = handlers;
    // node reads these when it parses; its constructor options can't be reached through proxy-chain.
    const server = this.server as HttpServer & { maxHeaderSize: number; requireHostHeader: boolean };
    server.maxHeaderSize = MAX_HEADER_BYTES;
    // Their size is bounded; past node's own bound on their number it would drop fields without a word.
    server.maxHeadersCount = 0;
    server.requireHostHeader = false;
    server.requestTimeout = 0;
    server.headersTimeout = HEADERS_TIMEOUT_MS;
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    // What is expected other than 100-continue is not ours to refuse: the field ends here, as all of `Expect` does.
    server.on('checkExpectation', (req, res) => void this.onRequest(req, res));
  }

  /** Where it listens, once it does. */
  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  override async onRequest(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { socket } = req;
    this.#count(socket, 1);
    res.once('close', () => {
      this.#count(socket, -1);
      // node closes idle connections once, when told to stop; this one is idle only now.
      if (this.#draining) setImmediate(() => this.#closeIdle());
    });
    this.#handlers.onRequest(req, res);
  }

  override async onConnect(req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // Behind an unanswered request there is no telling whose bytes are whose.
    if (this.#isRunning(socket)) {
      socket.destroy();
      return;
    }
    this.#count(socket, 1);
    await this.#handlers.onConnect(req, socket, head);
    this.#count(socket, -1);
  }

  override onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    // An answer of ours would stand in the middle of the one that is running, if any is.
    if (error.code === 'ECONNRESET' || !socket.writable || this.#isRunning(socket)) {
      socket.destroy();
      return;
    }
    const rejection = rejectionOf(error);
    answerSocket(socket, rejection);
    this.#handlers.onRejected(rejection, socket);
  }

  /** Takes no more connections, lets running exchanges and tunnels go on for `timeoutMs`, then cuts the rest. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.#closeIdle();
    const timer = setTimeout(() => this.closeConnections(), timeoutMs);
    await closed;
    clearTimeout(timer);
  }

  #closeIdle(): void {
    for (const socket of this.connections.values()) if (!this.#isRunning(socket)) socket.destroySoon();
  }

  #isRunning(socket: Socket): boolean {
    return (this.#running.get(socket) ?? 0) > 0;
  }

  #count(socket: Socket, by: 1 | -1): void {
    this.#running.set(socket, (this.#running.get(socket) ?? 0) + by);
  }
}

function rejectionOf(error: NodeJS.ErrnoException): GatewayError {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    const message = `The header fields are larger than ${MAX_HEADER_BYTES} bytes; send fewer or shorter ones`;
    return new GatewayError('headers_too_large', message);
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new GatewayError('bad_request', `The request head did not arrive within ${HEADERS_TIMEOUT_MS / 1000} s`);
  }
  const reason = 'reason' in error && typeof error.reason === 'string' ? `: ${error.reason}` : '';
  return new GatewayError('bad_request', `This is not a valid HTTP/1.1 request${reason}`);
}
