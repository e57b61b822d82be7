// The HTTP server inside tunnels: it never listens, its connections are handed in. What they belong to is kept beside
// them, for the requests of a tunnel say nothing of their API key and their target.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { GatewayError } from '../sessions/errors.js';
import { answerSocket } from './answer.js';
import { HEADERS_TIMEOUT_MS, rejectionOf, setForClients } from './http-settings.js';
import { RunningExchanges } from './running-exchanges.js';

/** Takes what comes out of tunnels. Handlers don't reject. */
export interface InnerHandlers<T> {
  readonly onRequest: (tunnel: T, req: IncomingMessage, res: ServerResponse) => void;
  /** Resolves when the connection is closed. */
  readonly onUpgrade: (tunnel: T, req: IncomingMessage, socket: Socket, head: Buffer) => Promise<void>;
  /** A CONNECT inside a tunnel, which leads nowhere. */
  readonly onConnect: (tunnel: T, req: IncomingMessage, socket: Socket) => void;
  /** Told of a request that could not be parsed; it has been answered. */
  readonly onRejected: (error: GatewayError, socket: Socket) => void;
}

/** Serves the connections of tunnels; `T` is what is known of one. */
export class InnerServer<T> {
  readonly #server: http.Server;
  readonly #tunnels = new WeakMap<Socket, T>();
  readonly #sockets = new Set<Socket>();
  readonly #running = new RunningExchanges();
  readonly #handlers: InnerHandlers<T>;
  #draining = false;

  constructor(handlers: InnerHandlers<T>) {
    this.#handlers = handlers;
    this.#server = http.createServer((req, res) => this.#onRequest(req, res));
    setForClients(this.#server);
    // node watches over the heads of connections that a listening server accepted; here their silence is what ends them.
    this.#server.timeout = HEADERS_TIMEOUT_MS;
    this.#server.on('checkExpectation', (req, res) => this.#onRequest(req, res));
    this.#server.on('upgrade', (req, socket, head) => void this.#onUpgrade(req, socket as Socket, head));
    this.#server.on('connect', (req, socket) => this.#onConnect(req, socket as Socket));
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket as Socket));
  }

  /** Serves a connection. @returns when it is closed */
  serve(socket: Socket, tunnel: T): Promise<void> {
    if (socket.destroyed) return Promise.resolve();
    this.#tunnels.set(socket, tunnel);
    this.#sockets.add(socket);
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => {
        this.#sockets.delete(socket);
        resolve();
      });
    });
    this.#server.emit('connection', socket);
    if (this.#draining) socket.destroySoon();
    return closed;
  }

  /** Closes connections on which nothing runs, now and whenever one becomes idle. */
  drain(): void {
    this.#draining = true;
    for (const socket of this.#sockets) if (!this.#running.isRunning(socket)) socket.destroySoon();
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    socket.setTimeout(0);
    const end = this.#running.start(socket);
    res.once('close', () => {
      end();
      if (this.#draining && !this.#running.isRunning(socket)) socket.destroySoon();
    });
    this.#handlers.onRequest(this.#tunnelOf(req), req, res);
  }

  async #onUpgrade(req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    if (this.#running.isRunning(socket)) {
      socket.destroy();
      return;
    }
    socket.setTimeout(0);
    const end = this.#running.start(socket);
    await this.#handlers.onUpgrade(this.#tunnelOf(req), req, socket, head);
    end();
  }

  #onConnect(req: IncomingMessage, socket: Socket): void {
    // A refusal would stand in the middle of the answer that is running.
    if (this.#running.isRunning(socket)) socket.destroy();
    else this.#handlers.onConnect(this.#tunnelOf(req), req, socket);
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable || this.#running.isRunning(socket)) {
      socket.destroy();
      return;
    }
    const rejection = rejectionOf(error);
    answerSocket(socket, rejection);
    this.#handlers.onRejected(rejection, socket);
  }

  #tunnelOf({ socket }: IncomingMessage): T {
    const tunnel = this.#tunnels.get(socket);
    if (tunnel === undefined) throw new Error('A request came on a connection that belongs to no tunnel');
    return tunnel;
  }
}
