// Speaks SOCKS4 or SOCKS5 on an open connection by means of the `socks` package, and makes up for two habits of it: its errors
// are sentences and carry the credentials, and it sets the connection flowing before anybody listens.

import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';

import { SocksClient } from 'socks';

import { GatewayError } from '../sessions/errors.js';
import type { ErrorCode } from '../sessions/errors.js';
import { blamed } from './dial-errors.js';
import type { DialTarget, GiveUp } from './upstream.js';
import { credentialsRefused } from './upstream-parts.js';
import type { ProxySpec } from './upstream-url.js';

/** A connection to a SOCKS proxy, and where it is to lead. */
export interface Handshake {
  readonly spec: ProxySpec;
  readonly socket: Socket;
  readonly target: DialTarget;
  readonly signal: GiveUp;
  readonly timeoutMs: number;
  /** The attempt, as the beginning of a sentence. */
  readonly what: string;
}

/**
 * The replies by the names the package has for them: those of RFC 1928 section 6, and the two of SOCKS4 that are not
 * about the user. That has one reply for everything that may go wrong on the way to a target.
 */
const REPLIES: ReadonlyMap<string, readonly [code: ErrorCode, words: string]> = new Map([
  ['Failure', ['send_failed', 'the proxy reports a general failure']],
  ['NotAllowed', ['send_failed', "the proxy's rules don't allow it"]],
  ['NetworkUnreachable', ['ehostunreach', 'the proxy has no route to that network']],
  ['HostUnreachable', ['ehostunreach', "the proxy can't reach that host"]],
  ['ConnectionRefused', ['econnrefused', 'the connection was refused']],
  ['TTLExpired', ['timeout', "the proxy's packets expired on the way"]],
  ['CommandNotSupported', ['send_failed', "the proxy doesn't open connections"]],
  ['AddressNotSupported', ['send_failed', "the proxy doesn't know that kind of address"]],
  ['Failed', ['send_failed', 'the proxy refused it, or could not reach the target']],
] satisfies (readonly [string, readonly [ErrorCode, string]])[]);

/**
 * Has a SOCKS proxy connect to the target. Nothing the target says is lost; on failure the connection is destroyed.
 *
 * @throws GatewayError, or the reason of the signal
 */
export async function shakeHands(handshake: Handshake): Promise<void> {
  const { socket, signal } = handshake;
  let lost: Error | undefined;
  const onError = (error: Error) => (lost = error);
  // The connection may be half-closed later; a proxy that stops talking before it has answered is of no use.
  const onLoss = () => socket.destroy();
  socket.on('error', onError).on('end', onLoss);
  signal.addEventListener('abort', onLoss, { once: true });
  try {
    await negotiate(handshake);
  } catch (error) {
    socket.destroy();
    const failure: unknown = signal.aborted ? signal.reason : (lost ?? explain(error, handshake));
    throw blamed(failure, { what: handshake.what, signal, blame: 'failed' });
  } finally {
    socket.off('error', onError).off('end', onLoss);
    signal.removeEventListener('abort', onLoss);
  }
  await settle(socket);
}

async function negotiate({ spec, socket, target, timeoutMs }: Handshake): Promise<void> {
  const { user, password } = spec.credentials ?? {};
  await SocksClient.createConnection({
    command: 'connect',
    destination: { host: target.host, port: target.port },
    proxy: {
      type: spec.kind === 'socks4' ? 4 : 5,
      host: spec.host,
      port: spec.port,
      ...(user !== undefined && { userId: user }),
      ...(password !== undefined && { password }),
    },
    existing_socket: socket,
    timeout: timeoutMs,
  });
}

/**
 * Waits out what the package does one turn later: it emits what came behind the reply, and resumes the connection,
 * whoever listens. The first is put back, the second made void; the connection is left as a new one, neither paused nor
 * flowing.
 */
async function settle(socket: Socket): Promise<void> {
  const putBack = (chunk: Buffer) => socket.unshift(chunk);
  socket.on('data', putBack);
  socket.resume = () => socket;
  await setImmediate();
  Reflect.deleteProperty(socket, 'resume');
  socket.off('data', putBack);
  // Node leaves connections so after CONNECT and Upgrade; its types have the property as readable only.
  Object.assign(socket, { readableFlowing: null });
}

/** The package has sentences only; what they begin with is stable within the major version we depend on. */
function explain(error: unknown, { spec, what }: Handshake): GatewayError {
  // Not kept as the cause: it carries the options, credentials included.
  const sentence = error instanceof Error ? error.message : String(error);
  // SOCKS4 knows users only as those of the ident protocol (RFC 1413), and refuses one by naming that.
  if (/authentication failed|authentication type|- \(Rejected(?:Ident)?\)/i.test(sentence))
    return credentialsRefused(spec);
  if (sentence === 'Socket closed') {
    return new GatewayError('socket_closed_remotely', `${what} failed: the proxy closed the connection`);
  }
  const reply = /rejected connection - \(?(?<name>\w+)/.exec(sentence)?.groups?.['name'];
  const [code, words] = REPLIES.get(reply ?? '') ?? [
    'send_failed',
    `the proxy does not speak ${spec.kind.toUpperCase()} as it should`,
  ];
  // Ours: a proxy that answers by the rules is a living one, and what it couldn't do is taken for the target's doing.
  return new GatewayError(code, `${what} failed: ${words}`, { blame: REPLIES.has(reply ?? '') ? 'target' : undefined });
}
