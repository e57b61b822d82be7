// The client of the server under test: writes the bytes of requests itself, so that a check decides every one of them,
// and keeps count of its connections. It knows how a request is put on the wire, and nothing of what should come back.

import net, { type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Answer, readAnswer } from './read-answer.js';

/** A request as it is written. */
export interface Sent {
  /** @default 'GET' */
  readonly method?: string;
  /** What stands in the request line: a URL, a path or `host:port`. */
  readonly to: string;
  /** Lines `Name: value`, behind `Host` and the credentials. */
  readonly fields?: readonly string[];
  /** Lines that carry the credentials. @default `Proxy-Authorization` with the API key */
  readonly credentials?: readonly string[];
  /** The `Host` field. @default that of the URL, or what stands in the request line; false leaves it out */
  readonly host?: string | false;
  /** @default '1.1' */
  readonly version?: '1.0' | '1.1';
  /** Sent with a `Content-Length`. */
  readonly body?: string;
}

/** Where the server listens, and the key that opens it. */
export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

/** Talks to one server. */
export class ProxyClient {
  readonly address: ProxyAddress;
  readonly #open = new Set<Duplex>();

  constructor(address: ProxyAddress) {
    this.address = address;
  }

  /** `host:port` of the server, as a `Host` field has it. */
  get authority(): string {
    const { host, port } = this.address;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  /** Opens a connection to the server. @throws Error when there is none to be had */
  async dial(): Promise<Socket> {
    const socket = this.keep(net.connect({ host: this.address.host, port: this.address.port, noDelay: true }));
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
      socket.once('close', () => reject(new Error('the server closed the connection at once')));
    });
    return socket;
  }

  /** Sends a request on a connection of its own and reads its answer. */
  async send(sent: Sent): Promise<Answer> {
    const socket = await this.dial();
    try {
      return await this.sendOn(socket, sent);
    } finally {
      socket.destroy();
    }
  }

  /** Sends a request on an open connection and reads its answer. */
  sendOn(connection: Duplex, sent: Sent): Promise<Answer> {
    const answer = readAnswer(connection, sent.method ?? 'GET');
    connection.write(this.bytesOf(sent));
    return answer;
  }

  /** A request as it goes on the wire. */
  bytesOf({ method = 'GET', to, host, version = '1.1', fields = [], credentials, body }: Sent): string {
    const lines = [`${method} ${to} HTTP/${version}`];
    if (host !== false) lines.push(`Host: ${host ?? hostOf(to, this.authority)}`);
    lines.push(...(credentials ?? [proxyAuthorization(this.address.key)]), ...fields);
    if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
    return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
  }

  /** Has a connection closed together with the others. @param around one that it runs in, and closes itself */
  keep<Connection extends Duplex>(connection: Connection, around?: Duplex): Connection {
    this.#open.add(connection);
    // Destroying both, the inner one last, crashes node 20.
    if (around !== undefined) this.#open.delete(around);
    connection.once('close', () => this.#open.delete(connection));
    // Whoever waits for an answer is told by its reader; without a listener an error would end the process.
    connection.on('error', () => undefined);
    return connection;
  }

  /** Closes all connections; what waits for an answer on them fails. */
  close(): void {
    for (const connection of this.#open) connection.destroy();
  }
}

/** The field that authorizes a client of the proxy. */
export function proxyAuthorization(user: string, password = ''): string {
  return `Proxy-Authorization: ${basic(user, password)}`;
}

/** The field that authorizes a client of the session API. */
export function authorization(user: string): string {
  return `Authorization: ${basic(user, '')}`;
}

/** Lines of so many KiB in all. */
export function filling(kibibytes: number): string[] {
  return Array.from({ length: kibibytes }, (_, index) => `X-Fill-${index}: `.padEnd(1022, 'f'));
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function hostOf(to: string, own: string): string {
  if (to.startsWith('/')) return own;
  return /^[a-z]+:\/\/([^/?#]*)/i.exec(to)?.[1] ?? to;
}
