// Servers that speak TLS, with the self-signed certificate: one that answers requests, one that keeps bytes, and a
// front that puts TLS before a server that has none.

import https from 'node:https';
import net from 'node:net';
import type { Socket } from 'node:net';
import tls, { TLSSocket } from 'node:tls';
import type { TlsOptions } from 'node:tls';

import { SELF_SIGNED } from './self-signed.js';
import { closeServer, listenOnFreePort } from './target-port.js';
import { RawConnection } from './target-raw.js';
import type { RawTarget } from './target-raw.js';

/** What one request looked like from here. */
export interface SeenSecureRequest {
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly remotePort: number;
  /** The name that was asked for; false without one. */
  readonly servername: string | false | null | undefined;
  /** What ALPN settled on; false without. */
  readonly alpn: string | false | null;
}

/** A listening target. */
export interface HttpsTarget {
  readonly host: string;
  readonly port: number;
  readonly seen: readonly SeenSecureRequest[];
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and echoes bodies. */
export async function createHttpsTarget(): Promise<HttpsTarget> {
  const seen: SeenSecureRequest[] = [];
  const server = https.createServer(SELF_SIGNED, (request, response) => {
    const { url = '', rawHeaders, socket } = request;
    if (!(socket instanceof TLSSocket)) throw new Error('the connection has no TLS');
    const { remotePort = 0, servername, alpnProtocol } = socket;
    seen.push({ url, rawHeaders, remotePort, servername, alpn: alpnProtocol });
    request.pipe(response);
  });
  // Handshakes that fail are the test's own doing.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  const port = await listenOnFreePort(server);
  const close = async () => {
    server.closeAllConnections();
    await closeServer(server);
  };
  return { host: '127.0.0.1', port, seen, close };
}

/** Listens as `createRawTarget`, inside TLS; `over` changes how TLS is spoken. */
export async function createRawTlsTarget(
  onConnection: (connection: RawConnection) => void = () => {},
  over: TlsOptions = {},
): Promise<RawTarget> {
  const connections: RawConnection[] = [];
  const server = tls.createServer({ ...SELF_SIGNED, allowHalfOpen: true, ...over }, (socket) => {
    const connection = new RawConnection(socket);
    connections.push(connection);
    onConnection(connection);
  });
  server.on('tlsClientError', (_, socket) => socket.destroy());
  const port = await listenOnFreePort(server);
  const close = async () => {
    for (const { socket } of connections) socket.destroy();
    await closeServer(server);
  };
  return { host: '127.0.0.1', port, connections, close };
}

/** Listens on a free port of 127.0.0.1 and passes what comes inside TLS to another port, half-closes included. */
export async function createTlsFront(port: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    // Tests reset connections on purpose.
    socket.on('error', () => socket.destroy());
  };
  const server = tls.createServer({ ...SELF_SIGNED, allowHalfOpen: true }, (client) => {
    const behind = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    keep(client);
    keep(behind);
    client.pipe(behind);
    behind.pipe(client);
    client.on('close', () => behind.destroy());
    behind.on('close', () => client.destroySoon());
  });
  // Below TLS: a handshake that fails leaves no secured socket to destroy.
  server.on('connection', keep);
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  };
  return { port: await listenOnFreePort(server), close };
}
