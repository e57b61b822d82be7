// A target to crawl over http, https and HTTP/2 at once, that keeps who asked for what. Knows nothing of sessions.

import { createServer as createHttpServer } from 'node:http';
import type { IncomingHttpHeaders, RequestListener, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';

import { onTestFinished } from 'vitest';

import { SELF_SIGNED } from '../support/self-signed.js';

const HTML = 'text/html; charset=utf-8';

/** One request as the target saw it. */
export interface Visit {
  readonly path: string;
  readonly fromIp: string;
  /** Names of the header fields, lower case. */
  readonly headerNames: readonly string[];
  readonly atMs: number;
}

/** A listening target. */
export interface CrawlTarget {
  /** `http://127.0.0.1:port` */
  readonly http: string;
  /** `https://127.0.0.1:port`, self-signed, HTTP/1.1. */
  readonly https: string;
  /** `https://localhost:port`, self-signed, HTTP/2; by name, for http2-wrapper reaches no bare address. */
  readonly http2: string;
  readonly visits: readonly Visit[];
}

/** Answers a path in a way of its own, over HTTP/1.1; false for the usual page. */
export type AnswerPath = (path: string, response: ServerResponse) => boolean;

/** Listens on three free ports of 127.0.0.1 until the test is over. */
export async function openTarget(answerPath: AnswerPath = () => false): Promise<CrawlTarget> {
  const visits: Visit[] = [];
  const note = ({ url: path = '/', socket, headers }: Asked): { readonly path: string; readonly page: string } => {
    const fromIp = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    visits.push({ path, fromIp, headerNames: Object.keys(headers), atMs: performance.now() });
    return { path, page: `<html><body><p class="ip">${fromIp}</p></body></html>` };
  };
  const listener: RequestListener = (request, response) => {
    const { path, page } = note(request);
    if (answerPath(path, response)) return;
    response.setHeader('content-type', HTML).end(page);
  };
  const http2Server = createSecureServer({ ...SELF_SIGNED }, (request, response) => {
    const { page } = note(request);
    response.setHeader('content-type', HTML);
    response.end(page);
  });
  const [http, https, http2] = await Promise.all([
    listen(createHttpServer(listener)),
    listen(createHttpsServer({ ...SELF_SIGNED }, listener)),
    listen(http2Server),
  ]);
  return {
    http: `http://127.0.0.1:${http}`,
    https: `https://127.0.0.1:${https}`,
    http2: `https://localhost:${http2}`,
    visits,
  };
}

/** What requests of HTTP/1.1 and HTTP/2 have in common. */
interface Asked {
  readonly url?: string | undefined;
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: IncomingHttpHeaders;
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}
