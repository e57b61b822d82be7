// The port on which the same proxy is spoken over TLS: connections are accepted, put under TLS with a certificate of the
// gateway's own authority, and handed to the listener.

import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { TLSSocket } from 'node:tls';
import ipaddr from 'ipaddr.js';
import type { CertificateAuthority } from './certificates/certificate-authority.js';
import { acceptTls } from './client-tls.js';

/** What the port is made of. */
export interface TlsListenerOptions {
  readonly host: string;
  readonly port: number;
  /** Names under which clients reach it, besides its addresses. */
  readonly names: readonly string[];
  readonly authority: () => Promise<CertificateAuthority>;
  /** Serves a connection that is under TLS. */
  readonly serve: (socket: Socket) => void;
  /** Told of what is no fault of a client. */
  readonly onFailure: (error: unknown) => void;
}

/** Listens for TLS. */
export class TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #server: net.Server;
  /** Connections whose handshake is not over. */
  readonly #pending = new Set<Socket>();

  constructor(options: TlsListenerOptions) {
    this.#options = options;
    this.#server = net.createServer({ noDelay: true }, (socket) => void this.#accept(socket));
  }

  /** Starts to listen; makes the certificate authority if there is none. @throws the error of the system, or ConfigurationError */
  async listen(): Promise<void> {
    const { host, port, authority } = this.#options;
    await authority();
    this.#server.listen({ host, port });
    await once(this.#server, 'listening');
  }

  /** The true port, once it listens. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#options.port;
  }

  /** Takes no more connections. Those that were handed over are not its own. */
  close(): void {
    this.#server.close();
    for (const socket of this.#pending) socket.destroy();
  }

  async #accept(socket: Socket): Promise<void> {
    socket.on('error', () => undefined);
    this.#pending.add(socket);
    try {
      const authority = await this.#options.authority();
      const context = await authority.contextForNames(this.#names());
      const secured = await acceptTls({ socket, context, contextFor: (host) => authority.contextFor(host) });
      if (secured instanceof TLSSocket) this.#options.serve(secured);
      else socket.destroy();
    } catch (error) {
      socket.destroy();
      this.#options.onFailure(error);
    } finally {
      this.#pending.delete(socket);
    }
  }

  /** Who reaches it by an address names no host, so one certificate has all its addresses. */
  #names(): string[] {
    const { host, names } = this.#options;
    const isEverywhere = ipaddr.isValid(host) && ipaddr.process(host).range() === 'unspecified';
    const addresses = isEverywhere ? ownAddresses() : [host];
    return [...new Set([...addresses, ...names, 'localhost', '127.0.0.1', '::1'])];
  }
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .map(({ address }) => address.split('%')[0] as string);
}
