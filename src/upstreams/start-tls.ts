// Puts TLS on an open connection and holds the certificate against a name. What is spoken inside, and how long it may
// take, is the caller's.

import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';

import { GatewayError } from '../sessions/errors.js';
import { toGatewayError } from './dial-errors.js';
import type { GiveUp } from './upstream.js';

/** An open connection, and who is to be at its other end. */
export interface TlsStart {
  readonly socket: Socket;
  /** The name to ask for and to verify; an address is verified and not asked for (RFC 6066 section 3). */
  readonly name: string;
  readonly verify: boolean;
  /** Destroys the connection while TLS is being put on it; its reason is what that fails with. */
  readonly signal: GiveUp;
  /** The attempt, as the beginning of a sentence. */
  readonly what: string;
  /** What to do about a certificate that doesn't verify, as the end of a sentence. */
  readonly remedy: string;
}

/** Roots are read and parsed for each context, so all connections share one: those of Node, NODE_EXTRA_CA_CERTS included. */
let shared: SecureContext | undefined;

/**
 * Opens TLS as a client; HTTP/1.1 is all that is offered. The connection may still be half-closed.
 *
 * @throws GatewayError `bad_cert` for a certificate that doesn't verify, `send_failed` where TLS fails otherwise; or
 *   the reason of the signal. The connection is then destroyed
 */
export function startTls(start: TlsStart): Promise<TLSSocket> {
  const { socket, name, verify, signal, what } = start;
  // TLS on a connection that is gone says nothing at all, neither an error nor its end.
  if (socket.destroyed || socket.readableEnded) {
    socket.destroy();
    return Promise.reject(toGatewayError(socket.errored ?? new ConnectionGone(), what));
  }
  return new Promise((resolve, reject) => {
    const secured = tls.connect({
      socket,
      ...(isIP(name) === 0 ? { servername: name } : { host: name }),
      rejectUnauthorized: verify,
      secureContext: (shared ??= tls.createSecureContext()),
      ALPNProtocols: ['http/1.1'],
    });
    const onAbort = () => {
      reject(signal.reason);
      // In this order: just after a handshake, the other one ends the process inside Node 20 (segmentation fault).
      secured.destroy();
      socket.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays on the socket, as in `connectTcp`.
    secured.on('error', (error) => {
      reject(explain(error, secured, start));
      socket.destroy();
    });
    // An end that was read before TLS took the connection over: nobody would tell TLS of it. libuv makes one of a reset, too,
    // that comes right behind data.
    const onEnd = () => {
      reject(toGatewayError(new ConnectionGone(), what));
      secured.destroy();
      socket.destroy();
    };
    socket.once('end', onEnd);
    socket.read(0);
    secured.once('secureConnect', () => resolve(secured));
    for (const event of ['secureConnect', 'close'] as const) {
      secured.once(event, () => {
        signal.removeEventListener('abort', onAbort);
        socket.off('end', onEnd);
      });
    }
    if (signal.aborted) onAbort();
  });
}

/** A connection that was closed without an error, in the form Node has for it. */
class ConnectionGone extends Error {
  readonly code = 'ECONNRESET';
}

/** Why a certificate is not accepted, by the codes OpenSSL and Node have for it. */
const FAULTS: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'has expired'],
  ['CERT_NOT_YET_VALID', 'is not valid yet'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'is self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'comes from an authority that is not trusted here'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'comes from an authority that is not known here'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'comes from an authority that is not known here'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'comes without the one that signed it, or from an authority not known here'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'is for another name'],
]);

/** What plain text looks like to OpenSSL. */
const NO_TLS: ReadonlySet<string> = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);

function explain(error: NodeJS.ErrnoException, secured: TLSSocket, { name, what, remedy }: TlsStart): GatewayError {
  const code = error.code ?? '';
  // Node sets it before it fails, and for nothing but certificates. The types don't know that it may be null.
  const fault: unknown = secured.authorizationError;
  if (fault !== null && fault !== undefined) {
    const words = FAULTS.get(code) ?? "can't be verified";
    const message = `${what} failed: the certificate for ${name} ${words} (${code}); ${remedy}`;
    return new GatewayError('bad_cert', message, { cause: error });
  }
  // Errors of OpenSSL have its own reason, which is one of a list of fixed texts; others are those of the connection.
  if (!('reason' in error) || typeof error.reason !== 'string') return toGatewayError(error, what);
  const words = NO_TLS.has(code) ? 'the other side does not speak TLS' : `the TLS handshake: ${error.reason}`;
  return new GatewayError('send_failed', `${what} failed: ${words} (${code})`, { cause: error });
}
