// A target on this machine that the server under test is to fetch: pages of one check each, which keep what arrived and
// answer as the check wants. It knows nothing of the protocol.

import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { TARGET_CERTIFICATE } from './target-certificate.js';

/** A request as the target saw it. */
export interface Arrival {
  readonly fromIp: string;
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  /** When its head was read, in milliseconds of this process's monotonic clock. */
  readonly atMs: number;
}

/** Answers an arrival; `number` counts those of the page from 1. */
export type Reply = (req: IncomingMessage, res: ServerResponse, arrival: Arrival & { readonly number: number }) => void;

/** A page of a target. */
export interface Page {
  readonly url: string;
  /** `host:port`, for a CONNECT. */
  readonly authority: string;
  readonly path: string;
  readonly arrivals: readonly Arrival[];
  /** Resolves once so many requests have arrived. */
  readonly arrived: (count: number) => Promise<void>;
}

/** A listening target. */
export interface Target {
  readonly authority: string;
  /** Makes a page; without `reply` it answers 200 and `ok`, and 101 to an upgrade, behind which it echoes. */
  readonly page: (reply?: Reply) => Page;
  readonly close: () => Promise<void>;
}

interface Registered extends Page {
  readonly reply: Reply;
  readonly arrivals: Arrival[];
  readonly checks: Set<() => void>;
}

const MAX_HEADER_BYTES = 256 * 1024;
const ok: Reply = (_req, res) => void res.end('ok');

let pagesMade = 0;

/**
 * Starts a target on a free port.
 *
 * @param host name or address under which the server reaches this machine; an address of loopback is listened on alone
 * @param scheme `https` shows a self-signed certificate
 */
export async function createTarget(host: string, scheme: 'http' | 'https'): Promise<Target> {
  const pages = new Map<string, Registered>();
  const listener: RequestListener = (req, res) => {
    const page = pages.get(firstSegment(req.url));
    if (page === undefined) return void res.writeHead(410).end('no such page');
    const arrival = arrive(page, req);
    return page.reply(req, res, { ...arrival, number: page.arrivals.length });
  };
  const server =
    scheme === 'http'
      ? http.createServer({ maxHeaderSize: MAX_HEADER_BYTES }, listener)
      : https.createServer({ maxHeaderSize: MAX_HEADER_BYTES, ...TARGET_CERTIFICATE }, listener);
  server.on('upgrade', (req: IncomingMessage, socket: Duplex) => {
    const page = pages.get(firstSegment(req.url));
    if (page !== undefined) arrive(page, req);
    acceptUpgrade(socket);
  });
  const authority = `${host}:${await listen(server, host)}`;
  const page = (reply: Reply = ok): Page => {
    const made = register(`${scheme}://${authority}`, authority, reply);
    pages.set(firstSegment(made.path), made);
    return made;
  };
  return { authority, page, close: () => close(server) };
}

/** A port of loopback on which nothing listens. */
export async function closedPort(host: string): Promise<number> {
  const server = http.createServer();
  const port = await listen(server, host);
  await close(server);
  return port;
}

function register(origin: string, authority: string, reply: Reply): Registered {
  pagesMade += 1;
  const path = `/page-${pagesMade}-${Math.random().toString(36).slice(2)}`;
  const arrivals: Arrival[] = [];
  const checks = new Set<() => void>();
  const arrived = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (arrivals.length < count) return;
        checks.delete(check);
        resolve();
      };
      checks.add(check);
      check();
    });
  return { url: `${origin}${path}`, authority, path, arrivals, checks, reply, arrived };
}

function arrive(page: Registered, { socket, method = '', url = '', rawHeaders }: IncomingMessage): Arrival {
  const fromIp = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const arrival: Arrival = { fromIp, method, url, rawHeaders, atMs: performance.now() };
  page.arrivals.push(arrival);
  for (const check of page.checks) check();
  return arrival;
}

function acceptUpgrade(socket: Duplex): void {
  // A check that ends cuts its connections; that is no fault of the target.
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  socket.pipe(socket);
}

function firstSegment(url = ''): string {
  return /^\/([^/?#]*)/.exec(url)?.[1] ?? '';
}

async function listen(server: Server, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (net.isIPv4(host) && host.startsWith('127.')) server.listen(0, host, resolve);
    else server.listen(0, resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}
