// Servers that speak for a host with a context, and what clients see of them.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import net, { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';

import { onTestFinished } from 'vitest';

import { closeServer, listenOnFreePort } from '../../support/target-port.js';

/** Runs a program to its end; rejects with its output if it fails. */
export const run = promisify(execFile);

/** Makes a directory that goes with the test. */
export async function createDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'session-proxy-ca-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts a server that answers `hello` over TLS, whatever name it is asked for. @returns its port on 127.0.0.1 */
export async function startTls(secureContext: tls.SecureContext): Promise<number> {
  const answering = http.createServer((_, res) => res.end('hello'));
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    const secure = new tls.TLSSocket(socket, { isServer: true, secureContext });
    // A client that refuses the certificate says so, which is its own to tell.
    secure.on('error', () => socket.destroy());
    answering.emit('connection', secure);
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  });
  return port;
}

/** Connects as a client that trusts this CA alone and asks for that host. Rejects if it does not accept the server. */
export async function connectTrusting(
  { ca, host }: { readonly ca: string; readonly host: string },
  context: tls.SecureContext,
): Promise<void> {
  await connect(context, {
    ca,
    servername: isIP(host) === 0 ? host : '',
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate),
  });
}

/** The certificates that a server sends, trusted or not: its own, and the issuer as far as that was sent, too. */
export function sentWith(context: tls.SecureContext): Promise<tls.DetailedPeerCertificate> {
  return connect(context, { ca: [], rejectUnauthorized: false });
}

async function connect(
  context: tls.SecureContext,
  options: tls.ConnectionOptions,
): Promise<tls.DetailedPeerCertificate> {
  const port = await startTls(context);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, ...options });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate(true));
      socket.destroy();
    });
  });
}
