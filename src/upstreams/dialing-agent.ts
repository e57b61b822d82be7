// Keeps connections of requests for the next request to the same peer. How one is opened is handed in.

import { Agent } from 'node:http';
import type { ClientRequest, ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { DialTarget, GiveUp, SecureTarget } from './upstream.js';

/** The other end of a connection. */
export interface Peer extends DialTarget {
  /** Set: TLS is to be put on the connection. */
  readonly secure?: SecureTarget | undefined;
}

/** Opens a connection; rejects with a GatewayError. */
export type Dial = (peer: Peer, signal: GiveUp) => Promise<Socket>;

/** What a request handed to a `DialingAgent` says beyond Node's own options, which don't reach the agent with a signal. */
export interface DialingRequestOptions extends ClientRequestArgs {
  readonly host: string;
  readonly port: number;
  readonly secure?: SecureTarget | undefined;
  readonly dialSignal: GiveUp;
}

/** What Node calls for each request. Its types leave it out, though agents have been made by it for long. */
interface RequestTaker {
  addRequest(request: ClientRequest, options: DialingRequestOptions): void;
}

const node = Agent.prototype as unknown as RequestTaker;

/** How long a connection waits for its next request; less where its server announces less (`Keep-Alive: timeout=5`). */
const IDLE_MS = 30_000;
/** Bound of the connections kept by one agent, all of which may lead to one peer: to a proxy, all of them do. */
const MAX_IDLE = 512;

/** Where an agent has its connections, by name; told to be read-only. */
interface SocketLists {
  readonly freeSockets: NodeJS.Dict<Socket[]>;
  readonly sockets: NodeJS.Dict<Socket[]>;
}

/** An agent that opens connections through `dial`. With `keep: false` each serves one request. */
export class DialingAgent extends Agent implements RequestTaker {
  readonly #dial: Dial;
  readonly #idle = new Set<Duplex>();
  /** Connections that were kept before. */
  readonly #watched = new WeakSet<Duplex>();
  readonly #maxIdle: number;

  constructor(dial: Dial, options: { readonly keep: boolean; readonly maxIdle?: number }) {
    super({ keepAlive: options.keep, scheduling: 'lifo', maxFreeSockets: MAX_IDLE, timeout: IDLE_MS });
    this.#dial = dial;
    this.#maxIdle = options.maxIdle ?? MAX_IDLE;
  }

  /**
   * Gives a request a kept connection, or lets Node open one. Node's own way with a kept one is the costliest step of a
   * request: it copies all options of the request and of the agent, of which a new connection is made.
   */
  addRequest(request: ClientRequest, options: DialingRequestOptions): void {
    const kept = this.#takeKept(this.getName(options));
    if (kept === undefined) return node.addRequest.call(this, request, options);
    this.reuseSocket(kept, request);
    request.onSocket(kept);
  }

  override createConnection(
    options: DialingRequestOptions,
    callback: (error: Error | null, stream?: Duplex) => void,
  ): undefined {
    const { host, port, secure, dialSignal } = options;
    this.#dial({ host, port, secure }, dialSignal).then((socket) => {
      // A kept connection that its server has closed is to be thrown away, not to be written to.
      socket.allowHalfOpen = false;
      socket.once('close', () => this.#idle.delete(socket));
      callback(null, socket);
    }, callback);
  }

  /**
   * Connections of one name may be exchanged for each other: one peer, and one proof of who it is. Node asks three times
   * for each request.
   */
  override getName({ host, port, secure }: Partial<DialingRequestOptions> = {}): string {
    const name = `${host}:${port}`;
    return secure === undefined ? name : `${name}:tls:${secure.verify}:${secure.servername ?? ''}`;
  }

  /** Node asks here whether to keep a connection whose request is done, and drops it on `false`. */
  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#idle.size >= this.#maxIdle) return false;
    // The manual says boolean, the types say void.
    const kept: unknown = super.keepSocketAlive(socket);
    if (kept !== true) return false;
    this.#idle.add(socket);
    this.#watch(socket);
    return true;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#idle.delete(socket);
    super.reuseSocket(socket, request);
  }

  /** The one kept last, moved to those in use, where `destroy` finds it. */
  #takeKept(name: string): Socket | undefined {
    const { freeSockets, sockets }: SocketLists = this;
    const kept = freeSockets[name];
    const socket = kept?.findLast(({ destroyed }) => !destroyed);
    if (kept === undefined || socket === undefined) return undefined;
    // What stands behind it was destroyed.
    kept.length = kept.lastIndexOf(socket);
    if (kept.length === 0) delete freeSockets[name];
    (sockets[name] ??= []).push(socket);
    return socket;
  }

  /**
   * Destroys a connection on which something comes while it is idle. Nobody has asked for it: it is the rest of an answer
   * that was longer than it said, or an answer meant to be taken for that of the next request.
   */
  #watch(socket: Duplex): void {
    // For good: a listener that came and went with each request would cost more than being asked for each piece.
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    socket.on('data', () => {
      if (this.#idle.has(socket)) socket.destroy();
    });
  }
}
