// A small SOCKS4 proxy, 4a included (https://www.openssh.com/txt/socks4.protocol, socks4a.protocol): CONNECT only. It
// keeps what it was asked, and answers as a test wants it to.

import net from 'node:net';
import type { Socket } from 'node:net';

import { closeServer, listenOnFreePort } from './target-port.js';

/** One CONNECT as it came. */
export interface Socks4Request {
  /** An IPv4 address, or the name that SOCKS4a adds. */
  readonly host: string;
  readonly isName: boolean;
  readonly port: number;
  readonly user: string;
}

/** A listening proxy. */
export interface Socks4Proxy {
  readonly host: string;
  readonly port: number;
  /** In the order they came. */
  readonly asked: readonly Socks4Request[];
  close(): Promise<void>;
}

/** What the proxy is to do. */
export interface Socks4ProxyOptions {
  /** The user it wants; others are refused as unknown to ident (93). */
  readonly user?: string;
  /** Reply code it answers every CONNECT with, instead of connecting. */
  readonly replyWith?: number;
  /** Where names lead; others are looked up. */
  readonly names?: Readonly<Record<string, string>>;
  /** Sent in one write with the reply; then the target is left alone. */
  readonly greeting?: string;
}

const GRANTED = 90;
const FAILED = 91;
const UNKNOWN_USER = 93;

/** Listens on a free port of 127.0.0.1. */
export async function createSocks4Proxy(options: Socks4ProxyOptions = {}): Promise<Socks4Proxy> {
  const asked: Socks4Request[] = [];
  const sockets = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    readRequest(socket, (request) => {
      asked.push(request);
      answer(socket, { request, options, sockets });
    });
  });
  const port = await listenOnFreePort(server);
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  };
  return { host: '127.0.0.1', port, asked, close };
}

interface Question {
  readonly request: Socks4Request;
  readonly options: Socks4ProxyOptions;
  readonly sockets: Set<Socket>;
}

function answer(client: Socket, { request, options, sockets }: Question): void {
  if (options.replyWith !== undefined) return void client.end(reply(options.replyWith));
  if (options.user !== undefined && request.user !== options.user) return void client.end(reply(UNKNOWN_USER));
  if (options.greeting !== undefined) {
    return void client.end(Buffer.concat([reply(GRANTED), Buffer.from(options.greeting)]));
  }
  const host = options.names?.[request.host] ?? request.host;
  const target = net.connect({ host, port: request.port, allowHalfOpen: true });
  sockets.add(target);
  target.on('error', () => client.end(reply(FAILED)));
  target.on('close', () => client.destroySoon());
  client.on('close', () => target.destroy());
  target.once('connect', () => {
    client.write(reply(GRANTED));
    client.pipe(target);
    target.pipe(client);
  });
}

/** Collects bytes until the request is whole; what comes behind it stays in the stream. */
function readRequest(socket: Socket, onRequest: (request: Socks4Request) => void): void {
  let bytes = Buffer.alloc(0);
  const onReadable = () => {
    for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read()) {
      bytes = Buffer.concat([bytes, chunk]);
    }
    const found = parse(bytes);
    if (found === undefined) return;
    socket.off('readable', onReadable);
    if (found.rest.length > 0) socket.unshift(found.rest);
    onRequest(found.request);
  };
  socket.on('readable', onReadable);
}

function parse(bytes: Buffer): { readonly request: Socks4Request; readonly rest: Buffer } | undefined {
  const userEnd = bytes.indexOf(0, 8);
  if (userEnd === -1) return undefined;
  const address = [...bytes.subarray(4, 8)].join('.');
  const isName = /^0\.0\.0\.(?!0$)/.test(address);
  const nameEnd = isName ? bytes.indexOf(0, userEnd + 1) : userEnd;
  if (nameEnd === -1) return undefined;
  const host = isName ? bytes.toString('latin1', userEnd + 1, nameEnd) : address;
  const request = { host, isName, port: bytes.readUInt16BE(2), user: bytes.toString('utf8', 8, userEnd) };
  return { request, rest: bytes.subarray(nameEnd + 1) };
}

function reply(code: number): Buffer {
  return Buffer.from([0, code, 0, 0, 0, 0, 0, 0]);
}
