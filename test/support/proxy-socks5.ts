// A small SOCKS5 proxy (RFC 1928, RFC 1929): CONNECT only, with or without user and password. It keeps what it was
// asked, and answers as a test wants it to.

import net from 'node:net';
import type { Socket } from 'node:net';

import { closeServer, listenOnFreePort } from './target-port.js';

/** One CONNECT as it came. */
export interface SocksRequest {
  /** Of the address: 1 is IPv4, 3 a name, 4 IPv6. */
  readonly type: number;
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
}

/** A listening proxy. */
export interface SocksProxy {
  readonly host: string;
  readonly port: number;
  /** In the order they came. */
  readonly asked: readonly SocksRequest[];
  close(): Promise<void>;
}

/** What the proxy is to do. */
export interface SocksProxyOptions {
  /** `user:password` it wants. */
  readonly credentials?: string;
  /** Reply code it answers every CONNECT with, instead of connecting. */
  readonly replyWith?: number;
  /** Where names lead; others are looked up. */
  readonly names?: Readonly<Record<string, string>>;
  /** Sent in one write with the reply; then the target is left alone. */
  readonly greeting?: string;
}

/** Listens on a free port of 127.0.0.1. */
export async function createSocksProxy(options: SocksProxyOptions = {}): Promise<SocksProxy> {
  const asked: SocksRequest[] = [];
  const sockets = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    // A connection that breaks off is the test's own doing.
    serve(socket, { options, asked, sockets }).catch(() => socket.destroy());
  });
  const port = await listenOnFreePort(server);
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  };
  return { host: '127.0.0.1', port, asked, close };
}

interface Service {
  readonly options: SocksProxyOptions;
  readonly asked: SocksRequest[];
  readonly sockets: Set<Socket>;
}

async function serve(client: Socket, { options, asked, sockets }: Service): Promise<void> {
  client.on('error', () => client.destroy());
  const read = reader(client);
  const user = await admit(client, read, options.credentials);
  if (user === false) return void client.end();
  const request = await readRequest(read, user);
  asked.push(request);
  if (options.replyWith !== undefined) return void client.end(reply(options.replyWith));
  if (options.greeting !== undefined) {
    return void client.end(Buffer.concat([reply(0), Buffer.from(options.greeting)]));
  }
  const target = net.connect({
    host: options.names?.[request.host] ?? request.host,
    port: request.port,
    allowHalfOpen: true,
  });
  sockets.add(target);
  target.on('error', (error: NodeJS.ErrnoException) => client.end(reply(error.code === 'ECONNREFUSED' ? 5 : 4)));
  target.on('close', () => client.destroySoon());
  client.on('close', () => target.destroy());
  target.once('connect', () => {
    client.write(reply(0));
    client.pipe(target);
    target.pipe(client);
  });
}

type Read = (bytes: number) => Promise<Buffer>;

/** The user; undefined without authentication; false if refused. */
async function admit(client: Socket, read: Read, credentials: string | undefined): Promise<string | undefined | false> {
  const [, count = 0] = await read(2);
  const methods = await read(count);
  const method = credentials === undefined ? 0 : 2;
  client.write(Buffer.from([5, methods.includes(method) ? method : 0xff]));
  if (!methods.includes(method)) return false;
  if (credentials === undefined) return undefined;
  const [, userLength = 0] = await read(2);
  const user = (await read(userLength)).toString();
  const [passwordLength = 0] = await read(1);
  const password = (await read(passwordLength)).toString();
  const isRight = `${user}:${password}` === credentials;
  client.write(Buffer.from([1, isRight ? 0 : 1]));
  return isRight && user;
}

async function readRequest(read: Read, user: string | undefined): Promise<SocksRequest> {
  const [, , , type = 0] = await read(4);
  const host = await readAddress(read, type);
  const port = (await read(2)).readUInt16BE();
  return { type, host, port, user };
}

async function readAddress(read: Read, type: number): Promise<string> {
  if (type === 1) return [...(await read(4))].join('.');
  if (type === 4) return new net.SocketAddress({ family: 'ipv6', address: hexGroups(await read(16)) }).address;
  const [length = 0] = await read(1);
  return (await read(length)).toString();
}

function hexGroups(bytes: Buffer): string {
  return (bytes.toString('hex').match(/.{4}/g) ?? []).join(':');
}

function reply(code: number): Buffer {
  return Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
}

/** Reads exact numbers of bytes off a stream and leaves the rest in it. */
function reader(socket: Socket): Read {
  return (bytes) =>
    new Promise((resolve, reject) => {
      const attempt = () => {
        const chunk: unknown = bytes === 0 ? Buffer.alloc(0) : socket.read(bytes);
        if (!(chunk instanceof Buffer)) return;
        socket.off('readable', attempt).off('close', fail);
        resolve(chunk);
      };
      const fail = () => reject(new Error('closed'));
      socket.on('readable', attempt).on('close', fail);
      attempt();
    });
}
