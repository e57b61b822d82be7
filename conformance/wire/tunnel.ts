// A tunnel through the server under test, with or without TLS inside, over which a check sends requests as a client
// behind a proxy does: in origin form, and without credentials.

import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';
import type { ProxyClient, Sent } from './proxy-client.js';
import type { Answer } from './read-answer.js';

/** How a tunnel is opened. */
export interface TunnelOptions {
  /** Lines on the CONNECT. */
  readonly fields?: readonly string[];
  /** PEM certificate that the far end must be signed by; undefined takes any certificate. */
  readonly ca?: string | undefined;
  /** Protocols offered to the far end. @default http/1.1 alone */
  readonly alpn?: readonly string[];
}

/** An open connection inside a CONNECT. */
export interface Tunnel {
  /** The answer to the CONNECT. */
  readonly opened: Answer;
  readonly connection: Duplex;
  /** Sends a request to the host that the CONNECT named, without credentials, and reads its answer. */
  readonly ask: (path: string, ...fields: readonly string[]) => Promise<Answer>;
  readonly send: (sent: Sent) => Promise<Answer>;
}

/** A tunnel with TLS inside. */
export interface SecureTunnel extends Tunnel {
  readonly connection: TLSSocket;
}

/** Opens a tunnel. @throws Error when the CONNECT is refused */
export async function openTunnel(
  client: ProxyClient,
  authority: string,
  { fields = [] }: TunnelOptions = {},
): Promise<Tunnel> {
  const socket = await client.dial();
  const opened = await client.sendOn(socket, { method: 'CONNECT', to: authority, fields });
  if (opened.status !== 200) {
    throw new Error(`CONNECT ${authority} was answered ${opened.status} ${opened.reason}, not 200: ${opened.body}`);
  }
  return { opened, connection: socket, ...speak(client, socket, authority) };
}

/** Opens a tunnel and speaks TLS in it. @throws Error when the CONNECT, the handshake or the certificate fails */
export async function openSecureTunnel(
  client: ProxyClient,
  authority: string,
  options: TunnelOptions = {},
): Promise<SecureTunnel> {
  const { opened, connection: socket } = await openTunnel(client, authority, options);
  const connection = await startTls(client, socket, authority, options);
  return { opened, connection, ...speak(client, connection, authority) };
}

/** Starts TLS on an open connection, and checks the certificate where a CA is given. */
export async function startTls(
  client: ProxyClient,
  socket: Duplex,
  authority: string,
  { ca, alpn = ['http/1.1'] }: TunnelOptions,
): Promise<TLSSocket> {
  const host = authority.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const connection = client.keep(
    tls.connect({
      socket,
      // An address can't be asked for by name (RFC 6066 section 3); it is checked against the certificate all the same.
      ...(net.isIP(host) === 0 ? { servername: host } : { host }),
      ALPNProtocols: [...alpn],
      rejectUnauthorized: ca !== undefined,
      ...(ca === undefined ? {} : { ca }),
    }),
    socket,
  );
  await new Promise<void>((resolve, reject) => {
    connection.once('secureConnect', resolve).once('error', reject);
    connection.once('close', () => reject(new Error('the connection was closed during the TLS handshake')));
  });
  return connection;
}

function speak(client: ProxyClient, connection: Duplex, authority: string): Pick<Tunnel, 'ask' | 'send'> {
  const send = (sent: Sent): Promise<Answer> =>
    client.sendOn(connection, { credentials: [], host: authority, ...sent });
  return { send, ask: (path, ...fields) => send({ to: path, fields }) };
}
