// An HTTP server that answers with what it was sent.

import http from 'node:http';
import type { IncomingMessage } from 'node:http';

import { closeServer, listenOnFreePort } from './target-port.js';

/** What one request looked like from here. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** A listening target. */
export interface HttpTarget {
  readonly host: string;
  readonly port: number;
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and echoes bodies. */
export async function createHttpTarget(): Promise<HttpTarget> {
  const seen: SeenRequest[] = [];
  const server = http.createServer((request, response) => {
    seen.push(describeRequest(request));
    request.pipe(response);
  });
  const port = await listenOnFreePort(server);
  const close = async () => {
    server.closeAllConnections();
    await closeServer(server);
  };
  return { host: '127.0.0.1', port, seen, close };
}

function describeRequest({ method = '', url = '', rawHeaders, socket }: IncomingMessage): SeenRequest {
  const { remoteAddress = '', remotePort = 0 } = socket;
  return { method, url, rawHeaders, remoteAddress, remotePort };
}
