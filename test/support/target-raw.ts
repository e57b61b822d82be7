// A TCP server that keeps every byte it is sent, for tests that care about bytes. What it answers is the test's.

import net from 'node:net';
import type { Socket } from 'node:net';

import { closeServer, listenOnFreePort } from './target-port.js';

/** One accepted connection. */
export class RawConnection {
  readonly socket: Socket;
  /** Whether the other side has sent all it had. */
  ended = false;
  #chunks: Buffer[] = [];
  #checks = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#check();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#check();
    });
    socket.on('close', () => this.#check());
    // Tests reset connections on purpose.
    socket.on('error', () => {});
  }

  /** All bytes so far, one character each. */
  get text(): string {
    return this.bytes.toString('latin1');
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Resolves with everything received once that contains `part`. */
  async received(part: string): Promise<string> {
    await this.#until(() => this.text.includes(part));
    return this.text;
  }

  /** Resolves once the other side has sent its end, or the connection is gone. */
  async end(): Promise<void> {
    await this.#until(() => this.ended || this.socket.destroyed);
  }

  /** Resolves once the connection is gone. */
  async closed(): Promise<void> {
    await this.#until(() => this.socket.destroyed);
  }

  #check(): void {
    for (const check of this.#checks) check();
  }

  #until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!isTrue()) return;
        this.#checks.delete(check);
        resolve();
      };
      this.#checks.add(check);
      check();
    });
  }
}

/** A listening target. */
export interface RawTarget {
  readonly host: string;
  readonly port: number;
  /** In the order they came. */
  readonly connections: readonly RawConnection[];
  close(): Promise<void>;
}

/** Listens on a free port of a loopback address; connections may be half-closed. */
export async function createRawTarget(
  onConnection: (connection: RawConnection) => void = () => {},
  host = '127.0.0.1',
): Promise<RawTarget> {
  const connections: RawConnection[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new RawConnection(socket);
    connections.push(connection);
    onConnection(connection);
  });
  const port = await listenOnFreePort(server, host);
  const close = async () => {
    for (const { socket } of connections) socket.destroy();
    await closeServer(server);
  };
  return { host, port, connections, close };
}

/** A port of 127.0.0.1 on which nothing listens. */
export async function closedPort(): Promise<number> {
  const target = await createRawTarget();
  await target.close();
  return target.port;
}
