// TLS towards a client, as its server: inside tunnels, and on the port where the proxy itself is spoken over TLS.
// HTTP/1.1 is all that is offered, for HTTP/2 would lower-case the names of our fields.

import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';

/** How long a client has for the handshake. */
const HANDSHAKE_MS = 20_000;

/** How long the last of it may take to be written; there is nothing before it that could hold it up. */
const LAST_WRITE_MS = 1000;

/** What a client is shown. */
export interface ClientTls {
  readonly socket: Socket;
  /** For clients that name no host, or the one that is expected. */
  readonly context: SecureContext;
  /** For those that name another. */
  readonly contextFor: (host: string) => Promise<SecureContext>;
}

/** Puts TLS on a client's connection. @returns the reason where the client broke off, or speaks no TLS; all is closed then */
export function acceptTls({ socket, context, contextFor }: ClientTls): Promise<TLSSocket | Error> {
  // Its close is over, and would not be told to what is put on it now.
  if (socket.destroyed) return Promise.resolve(new Error(CLOSED));
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
  return handshake(secured, socket);
}

const CLOSED = 'the connection was closed';

function handshake(secured: TLSSocket, socket: Socket): Promise<TLSSocket | Error> {
  return new Promise((resolve) => {
    let failure: Error | undefined;
    let isOver = false;
    const giveUp = (): void => void secured.destroy();
    const finish = (outcome: TLSSocket | Error): void => {
      isOver = true;
      clearTimeout(timer);
      for (const side of [secured, socket]) side.off('end', giveUp);
      resolve(outcome);
    };
    const onFailure = (error: Error): void => {
      failure ??= error;
      if (isOver) giveUp();
    };
    let timer = setTimeout(giveUp, HANDSHAKE_MS);
    // Both stay. Without the first, an error between here and the first listener of the caller would end the process;
    // the second is what `tls.Server` itself listens to: a TLSSocket has no other word for TLS that fails, and without
    // a `tls.Server` it stays open after that.
    secured.on('error', onFailure).on('_tlsError', onFailure);
    // Who has sent its end has no handshake to go on with, and may be half-closed for ever. An end that came before TLS
    // was put on the connection is told there only.
    for (const side of [secured, socket]) side.once('end', giveUp);
    secured.once('close', () => finish(failure ?? new Error(CLOSED)));
    secured.once('secure', () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, LAST_WRITE_MS);
      whenTicketsAreOut(secured, () => finish(secured));
    });
  });
}

/**
 * Waits until a write gets through. Session tickets follow the handshake; where their client has reset the connection by
 * then, node 20 forgets that they failed, and never ends any write behind them. Nobody would see such a client leave
 * while its connection is not read, as that of a body which its target does not take.
 */
function whenTicketsAreOut(secured: TLSSocket, then: () => void): void {
  setImmediate(() => secured.write('', then));
}
