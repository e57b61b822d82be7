// Clients of intercepted tunnels, and a target behind TLS that says who asked it what.

import https from 'node:https';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import type { Arrival } from './gateway.js';
import { proxyAuth, type RawAnswer, readAnswer, sendConnect, sendRaw } from './raw-client.js';
import { SELF_SIGNED } from './self-signed.js';
import { closeServer, listenOnFreePort } from './target-port.js';

/** For gateways whose targets have the self-signed certificate. */
export const TRUSTING = { targets: { allowPrivate: true, insecure: ['*'] } } satisfies GatewayOptions;

/** A request as its target saw it inside TLS. */
export interface SecureArrival extends Omit<Arrival, 'atMs'> {
  /** The name the gateway asked for; undefined without one. */
  readonly servername: string | undefined;
}

/** A listening target. */
export interface SecureTarget {
  readonly port: number;
  /** What a CONNECT names. */
  readonly authority: string;
  readonly arrivals: readonly SecureArrival[];
}

/** Starts an HTTPS target that answers `ok`, unless `listener` does. */
export async function startSecureTarget(listener?: RequestListener): Promise<SecureTarget> {
  const arrivals: SecureArrival[] = [];
  const server = https.createServer(SELF_SIGNED, (req, res) => {
    const { method = '', url = '', rawHeaders } = req;
    const { servername, remoteAddress = '' } = req.socket as TLSSocket;
    const name = typeof servername === 'string' ? servername : undefined;
    arrivals.push({ method, url, rawHeaders, fromIp: remoteAddress, servername: name });
    if (listener === undefined) res.end('ok');
    else listener(req, res);
  });
  server.on('tlsClientError', (_, socket) => socket.destroy());
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return { port, authority: `127.0.0.1:${port}`, arrivals };
}

/** What a client says on its way into a tunnel. */
export interface Entering {
  /** Fields of the CONNECT. */
  readonly headers?: string;
  readonly password?: string;
  /** How it speaks TLS. @default any certificate will do */
  readonly tls?: ConnectionOptions;
}

/** Puts TLS on a connection as its client. Rejects where the client does not accept the server. */
export function startClientTls(socket: Socket, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = tls.connect({ socket, rejectUnauthorized: false, ...options });
    onTestFinished(() => void secured.destroy());
    secured.on('error', reject);
    secured.once('close', () => reject(new Error('TLS was broken off')));
    // What follows would run inside OpenSSL, which node 20 does not survive where that destroys both connections.
    secured.once('secureConnect', () => setImmediate(() => resolve(secured)));
  });
}

/** The first bytes of a client that speaks TLS. */
export function clientHello(options: ConnectionOptions = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _, done) => {
        resolve(chunk);
        done();
      },
    });
    const secured = tls.connect({ socket: wire, ...options });
    onTestFinished(() => void secured.destroy());
  });
}

/** Opens a tunnel and speaks TLS in it. */
export async function enterTunnel(port: number, authority: string, entering: Entering = {}): Promise<TLSSocket> {
  const { socket, answer } = await sendConnect(port, authority, entering);
  if (answer.status !== 200) throw new Error(`CONNECT was answered ${answer.status}`);
  return startClientTls(socket, entering.tls);
}

/** Sends a GET in a tunnel and reads its answer. */
export function getInside(socket: Socket, path = '/', headers = ''): Promise<RawAnswer> {
  const answer = readAnswer(socket);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: inner.example\r\n${headers}\r\n`);
  return answer;
}

/** The certificate of a gateway's authority, for clients that trust it. */
export async function authorityOf(port: number): Promise<string> {
  return (await sendRaw(port, `GET /ca.crt HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)).body;
}

/** Makes a session by REST. @returns its ID */
export async function createSession(port: number): Promise<string> {
  const auth = proxyAuth().replace('Proxy-', '');
  const answer = await sendRaw(
    port,
    `POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${auth}Content-Length: 0\r\n\r\n`,
  );
  return answer.body;
}

/** Resolves once a check holds; for what comes about by events that a test can not see. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
