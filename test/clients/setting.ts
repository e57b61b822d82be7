// Where clients are tried out: a gateway over 127.0.0.2 and 127.0.0.3, and a target behind it that speaks http or
// https and tells who came from where. The target's certificate is self-signed; the gateway is told not to mind.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import {
  API_KEY,
  type Arrival,
  startGateway,
  startTarget,
  type TestGateway,
  type TestTarget,
} from '../support/gateway.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

/** How a target is spoken to. */
export const SCHEMES = ['http', 'https'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** A gateway as a client is told of it. */
export interface ClientGateway extends TestGateway {
  /** With the API key. */
  readonly proxyUrl: string;
  /** The certificate under which the gateway speaks for https targets: a file, PEM. */
  readonly caFile: string;
}

/** Starts a gateway and gets its certificate the way a client does. */
export async function startClientGateway(options: GatewayOptions = {}): Promise<ClientGateway> {
  const directory = await mkdtemp(path.join(tmpdir(), 'session-proxy-clients-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const gateway = await startGateway({
    // Nothing else is contacted: a browser asks for more than its pages.
    targets: { allowPrivate: true, allow: ['127.0.0.1', 'localhost'], insecure: ['*'] },
    ...options,
  });
  const caFile = path.join(directory, 'ca.crt');
  const certificate = await fetch(`${gateway.url}/ca.crt`);
  if (!certificate.ok) throw new Error(`GET /ca.crt was answered ${certificate.status}`);
  await writeFile(caFile, await certificate.text());
  return { ...gateway, proxyUrl: gateway.url.replace('http://', `http://${API_KEY}:@`), caFile };
}

/** Starts a target of either scheme; it echoes the body unless `listener` answers. */
export function startTargetOf(scheme: Scheme, listener?: RequestListener): Promise<TestTarget> {
  return scheme === 'http' ? startTarget(listener) : startSecureTarget(listener);
}

async function startSecureTarget(listener: RequestListener = (req, res) => req.pipe(res)): Promise<TestTarget> {
  const arrivals: Arrival[] = [];
  let connections = 0;
  const server = https.createServer({ ...SELF_SIGNED }, (req, res) => {
    const { socket, method = '', url = '', rawHeaders } = req;
    arrivals.push({ fromIp: socket.remoteAddress ?? '', method, url, rawHeaders, atMs: performance.now() });
    return listener(req, res);
  });
  server.on('connection', () => (connections += 1));
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return { port, url: `https://127.0.0.1:${port}`, arrivals, connections: () => connections };
}

/** What arrived at a target, as `path from IP`, in order. */
export function listArrivals({ arrivals }: TestTarget): string[] {
  return arrivals.map(({ url, fromIp }) => `${url} from ${fromIp}`);
}

/** The fields at a target that were meant for the gateway alone. */
export function leakedHeaders({ arrivals }: TestTarget): string[] {
  return arrivals
    .flatMap(({ rawHeaders }) => rawHeaders.filter((_, index) => index % 2 === 0))
    .filter((name) => /^(?:x-crawlera-|zyte-|proxy-)/i.test(name));
}
