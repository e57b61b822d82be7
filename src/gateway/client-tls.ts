// TLS towards a client, as its server: inside tunnels, and on the port where the proxy itself is spoken over TLS.
// HTTP/1.1 is all that is offered, for HTTP/2 would lower-case the names of our fields.

import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';

/** How long a client has for the handshake. */
const HANDSHAKE_MS = 20_000;

/** What a client is shown. */
export interface ClientTls {
  readonly socket: Socket;
  /** For clients that name no host, or the one that is expected. */
  readonly context: SecureContext;
  /** For those that name another. */
  readonly contextFor: (host: string) => Promise<SecureContext>;
}

/** Puts TLS on a client's connection. @returns undefined with the reason where the client broke off, or speaks no TLS */
export function acceptTls({ socket, context, contextFor }: ClientTls): Promise<TLSSocket | Error> {
  return new Promise((resolve) => {
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: ['http/1.1'],
      SNICallback: (host, done) => {
        contextFor(host).then(
          (found) => done(null, found),
          (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
        );
      },
    });
    let failure: Error | undefined;
    const timer = setTimeout(() => secured.destroy(), HANDSHAKE_MS);
    // Stays: a reset between here and the first listener of the caller would end the process.
    secured.on('error', (error) => (failure ??= error));
    // What `tls.Server` itself listens to; a TLSSocket has no other word for a handshake that failed.
    secured.once('_tlsError', (error: Error) => (failure ??= error));
    const onClose = (): void => {
      clearTimeout(timer);
      resolve(failure ?? new Error('the connection was closed'));
    };
    secured.once('close', onClose);
    secured.once('secure', () => {
      clearTimeout(timer);
      secured.off('close', onClose);
      resolve(secured);
    });
  });
}
