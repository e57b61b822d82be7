// The listener: proxy-chain's server with its seams set for this protocol. The one file that knows proxy-chain; it
// parses, and hands each request, upgrade and CONNECT to a handler.

import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Server } from 'proxy-chain';
import type { GatewayError } from '../sessions/errors.js';
import { answerSocket } from './answer.js';
import { rejectionOf, setForClients } from './http-settings.js';
import { RunningExchanges } from './running-exchanges.js';
import type { BlindTunnel } from './tunnel.js';

/** Takes what the listener has parsed. Handlers don't reject. */
export interface ProxyHandlers {
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => void;
  /** Resolves when the connection is closed, or the upgrade refused. */
  readonly onUpgrade: (req: IncomingMessage, socket: Socket, head: Buffer) => Promise<void>;
  /** Resolves when the tunnel stands, or is closed, or the CONNECT refused. */
  readonly onConnect: (req: IncomingMessage, socket: Socket, head: Buffer) => Promise<BlindTunnel | undefined>;
  /** Told of a request that could not be parsed; it has been answered. */
  readonly onRejected: (error: GatewayError, socket: Socket) => void;
}

/** Listens, parses and counts connections. */
export class ProxyServer extends Server {
  readonly #handlers: ProxyHandlers;
  readonly #running = new RunningExchanges();
  /** Connections that came in elsewhere: the end of the listener does not wait for them. */
  readonly #handedIn = new Set<Socket>();
  #draining = false;

  constructor({ host, port, ...handlers }: ProxyHandlers & { readonly host: string; readonly port: number }) {
    super({ host, port });
    this.#handlers = handlers;
    const server = this.server as HttpServer;
    setForClients(server);
    // What is expected other than 100-continue is not ours to refuse: the field ends here, as all of `Expect` does.
    server.on('checkExpectation', (req, res) => void this.onRequest(req, res));
    server.on('upgrade', (req, socket, head) => void this.#takeOver(req, socket as Socket, head, handlers.onUpgrade));
  }

  /** Where it listens, once it does. */
  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  /** Serves a connection that came in elsewhere, such as on the port for TLS. */
  serve(socket: Socket): void {
    if (socket.destroyed) return;
    this.#handedIn.add(socket);
    socket.once('close', () => this.#handedIn.delete(socket));
    this.server.emit('connection', socket);
    if (this.#draining) socket.destroySoon();
  }

  override async onRequest(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const end = this.#running.start(req.socket);
    res.on('close', () => {
      end();
      // node closes idle connections once, when told to stop; this one is idle only now.
      if (this.#draining) setImmediate(() => this.#closeIdle());
    });
    this.#handlers.onRequest(req, res);
  }

  override async onConnect(req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    await this.#takeOver(req, socket, head, this.#handlers.onConnect);
  }

  override onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    // An answer of ours would stand in the middle of the one that is running, if any is.
    if (error.code === 'ECONNRESET' || !socket.writable || this.#running.isRunning(socket)) {
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
    const handedIn = [...this.#handedIn].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    const closed = Promise.all([new Promise((resolve) => this.server.close(resolve)), ...handedIn]);
    this.#closeIdle();
    const timer = setTimeout(() => this.closeConnections(), timeoutMs);
    await closed;
    clearTimeout(timer);
  }

  async #takeOver(
    req: IncomingMessage,
    socket: Socket,
    head: Buffer,
    handle: (req: IncomingMessage, socket: Socket, head: Buffer) => Promise<BlindTunnel | undefined | void>,
  ): Promise<void> {
    // Behind an unanswered request there is no telling whose bytes are whose.
    if (this.#running.isRunning(socket)) {
      socket.destroy();
      return;
    }
    const end = this.#running.start(socket);
    const open = await handle(req, socket, head);
    if (typeof open === 'object') void open.closed.then(end);
    else end();
  }

  #closeIdle(): void {
    for (const socket of this.connections.values()) if (!this.#running.isRunning(socket)) socket.destroySoon();
  }
}
