// What is crawled: pages with parts, over http and https, each marked with its page's token, and a record of the address
// that asked for each. Knows nothing of sessions.

import { createServer as createHttpServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';

import { SELF_SIGNED } from '../test/support/self-signed.js';

/** One request as the target saw it. */
export interface Visit {
  readonly path: string;
  readonly fromIp: string;
}

/** A listening target. */
export interface Target {
  /** `http://127.0.0.1:port` */
  readonly http: string;
  /** `https://127.0.0.1:port`, self-signed. */
  readonly https: string;
  /** The requests of a page and its parts, in order. */
  visitsOf(token: string): readonly Visit[];
  /** Forgets a page that is about to be loaded again. */
  forget(token: string): void;
  close(): Promise<void>;
}

/** Parts that a page of a browser loads beside itself: the image of the frame is one more origin for pages over http. */
export const PARTS = ['image', 'frame', 'frame-image', 'xhr'] as const;

/** Listens on two free ports of 127.0.0.1. */
export async function createTarget(): Promise<Target> {
  const visits = new Map<string, Visit[]>();
  let origins = { http: '', https: '' };
  const listener: RequestListener = ({ url: path = '/', socket }, response) => {
    const [, , token = '', part = 'page'] = path.split('/');
    const fromIp = socket.remoteAddress ?? '';
    visits.set(token, [...(visits.get(token) ?? []), { path, fromIp }]);
    response.setHeader('cache-control', 'no-store');
    const { type, body } = contentOf(part, token, origins.https);
    response.setHeader('content-type', type).end(body);
  };
  const servers = [createHttpServer(listener), createHttpsServer({ ...SELF_SIGNED }, listener)] as const;
  const [http, https] = await Promise.all([listen(servers[0]), listen(servers[1])]);
  origins = { http: `http://127.0.0.1:${http.port}`, https: `https://127.0.0.1:${https.port}` };
  return {
    ...origins,
    visitsOf: (token) => visits.get(token) ?? [],
    forget: (token) => void visits.delete(token),
    async close() {
      await Promise.all([http.close(), https.close()]);
    },
  };
}

/** Where a page is, or one of its parts. */
export function pathOf(token: string, part?: string): string {
  return part === undefined ? `/truth/${token}` : `/truth/${token}/${part}`;
}

/** The token in a URL of a page. */
export function tokenOf(url: string): string {
  return new URL(url).pathname.split('/')[2] ?? '';
}

function contentOf(part: string, token: string, httpsOrigin: string): { readonly type: string; readonly body: string } {
  if (part.endsWith('image')) {
    return { type: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>' };
  }
  if (part === 'xhr') return { type: 'application/json', body: '{}' };
  const html =
    part === 'frame'
      ? `<img src="${httpsOrigin}${pathOf(token, 'frame-image')}">`
      : `<img src="${pathOf(token, 'image')}"><iframe src="${pathOf(token, 'frame')}"></iframe>` +
        `<script>window.parts = fetch('${pathOf(token, 'xhr')}').then((answer) => answer.text())</script>`;
  const head = `<head><title>${token}</title><link rel="icon" href="data:,"></head>`;
  return { type: 'text/html; charset=utf-8', body: `<!doctype html><html>${head}<body>${html}</body></html>` };
}

async function listen(server: Server): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
