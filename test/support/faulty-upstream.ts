// Upstreams that break: proxies of each kind that refuse, hang, reset, drip, lie or die, and never contact a target.

import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { onTestFinished } from 'vitest';
import { SELF_SIGNED } from './self-signed.js';
import { closeServer, listenOnFreePort } from './target-port.js';
import { closedPort } from './target-raw.js';

/** Kinds of proxies. */
export const PROXY_KINDS = ['http', 'https', 'socks4', 'socks5'] as const;
export type ProxyKind = (typeof PROXY_KINDS)[number];

/** What such a proxy does wrong. */
export const FAULTS = [
  'refuses connections',
  'hangs before a word',
  'resets before a word',
  'closes before a word',
  'hangs once asked',
  'resets once asked',
  'closes once asked',
  'drips its answer',
  'answers garbage',
  'speaks another protocol',
  'refuses what it is asked',
  'agrees and closes',
  'agrees and resets',
  'agrees and hangs',
] as const;
export type Fault = (typeof FAULTS)[number];

/** A proxy that is listening, or not even that. */
export interface FaultyUpstream {
  /** What a configuration names. */
  readonly upstream: { readonly url: string; readonly insecure: boolean };
  /** Connections it has open. */
  readonly open: () => number;
}

const GARBAGE = Buffer.from(Array.from({ length: 600 }, (_, index) => (index * 37 + 11) % 256));
const DRIP_MS = 40;

const HTTP_AGREES = 'HTTP/1.1 200 Connection established\r\n\r\n';
const HTTP_REFUSES = 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
const SOCKS4_AGREES = Buffer.from([0, 90, 0, 0, 0, 0, 0, 0]);
const SOCKS4_REFUSES = Buffer.from([0, 91, 0, 0, 0, 0, 0, 0]);
const SOCKS5_AGREES = Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
const SOCKS5_REFUSES = Buffer.from([5, 1, 0, 1, 0, 0, 0, 0, 0, 0]);

/** Starts a proxy of a kind with a fault. */
export async function startFaultyUpstream(kind: ProxyKind, fault: Fault): Promise<FaultyUpstream> {
  const sockets = new Set<Socket>();
  const onConnection = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Both sides break these off on purpose.
    socket.on('error', () => undefined);
    misbehave(socket, kind, fault);
  };
  if (fault === 'refuses connections') return { upstream: upstreamOf(kind, await closedPort()), open: () => 0 };
  const isEarly = fault.endsWith('before a word');
  const server =
    kind === 'https' && !isEarly ? tls.createServer(SELF_SIGNED, onConnection) : net.createServer(onConnection);
  server.on('tlsClientError', (_, socket: Socket) => socket.destroy());
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  });
  return { upstream: upstreamOf(kind, port), open: () => sockets.size };
}

function upstreamOf(kind: ProxyKind, port: number): FaultyUpstream['upstream'] {
  return { url: `${kind}://127.0.0.1:${port}`, insecure: kind === 'https' };
}

function misbehave(socket: Socket, kind: ProxyKind, fault: Fault): void {
  // Read, or it would not see the other side go.
  if (fault === 'hangs before a word') return void socket.resume();
  if (fault === 'resets before a word') return reset(socket);
  if (fault === 'closes before a word') return void socket.end();
  let asked = 0;
  socket.on('data', () => {
    asked += 1;
    // SOCKS5 says hello first, and is asked then.
    if (kind === 'socks5' && asked === 1 && !BEFORE_HELLO.has(fault)) socket.write(Buffer.from([5, 0]));
    else if (asked === (kind === 'socks5' && !BEFORE_HELLO.has(fault) ? 2 : 1)) answer(socket, kind, fault);
  });
}

/** Faults that show in the answer to the first thing said. */
const BEFORE_HELLO: ReadonlySet<Fault> = new Set(['answers garbage', 'speaks another protocol', 'drips its answer']);

function answer(socket: Socket, kind: ProxyKind, fault: Fault): void {
  if (fault === 'hangs once asked') return;
  if (fault === 'resets once asked') return reset(socket);
  if (fault === 'closes once asked') return void socket.end();
  if (fault === 'answers garbage') return void socket.write(GARBAGE);
  if (fault === 'speaks another protocol') return void socket.write(wordOf(kind).other);
  if (fault === 'refuses what it is asked') return void socket.end(wordOf(kind).no);
  if (fault === 'drips its answer') return drip(socket, 'HTTP/1.1 200 OK\r\nX-Padding: '.padEnd(4000, 'x'));
  socket.write(wordOf(kind).yes, () => {
    if (fault === 'agrees and closes') socket.end();
    else if (fault === 'agrees and resets') setImmediate(() => reset(socket));
  });
}

function wordOf(kind: ProxyKind): Readonly<Record<'yes' | 'no' | 'other', Buffer | string>> {
  if (kind === 'socks4') return { yes: SOCKS4_AGREES, no: SOCKS4_REFUSES, other: HTTP_AGREES };
  if (kind === 'socks5') return { yes: SOCKS5_AGREES, no: SOCKS5_REFUSES, other: HTTP_AGREES };
  return { yes: HTTP_AGREES, no: HTTP_REFUSES, other: SOCKS5_AGREES };
}

function drip(socket: Socket, text: string): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer);
    socket.write(text.slice(sent, sent + 1));
    sent += 1;
  }, DRIP_MS);
  socket.once('close', () => clearInterval(timer));
}

function reset(socket: Socket): void {
  if (socket instanceof tls.TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
