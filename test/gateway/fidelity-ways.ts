// The ways a request takes through a gateway, so that a case is written once and run on each: in the clear and inside
// HTTPS that is looked into, straight and through proxies. Targets and clients are bytes, one character each.

import tls from 'node:tls';
import { onTestFinished } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { openRaw, proxyAuth, sendConnect } from '../support/raw-client.js';
import { createRawTarget, RawConnection, type RawTarget } from '../support/target-raw.js';
import { createRawTlsTarget } from '../support/target-tls.js';

/** An answer that nothing is wrong with. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** How a request gets to its target. */
export interface Way {
  readonly name: string;
  readonly isSecure: boolean;
  readonly through: 'nothing' | 'proxy' | 'socks';
}

/** In the clear and inside HTTPS. */
export const STRAIGHT: readonly Way[] = [
  { name: 'plain http', isSecure: false, through: 'nothing' },
  { name: 'intercepted https', isSecure: true, through: 'nothing' },
];

/** The same, through a proxy of either kind, too. */
export const ALL_WAYS: readonly Way[] = [
  ...STRAIGHT,
  { name: 'plain http through a proxy', isSecure: false, through: 'proxy' },
  { name: 'intercepted https through a proxy', isSecure: true, through: 'proxy' },
  { name: 'plain http through socks', isSecure: false, through: 'socks' },
  { name: 'intercepted https through socks', isSecure: true, through: 'socks' },
];

/** A request as a test puts it; the rest of its head is what the way needs. */
export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly version?: '1.0' | '1.1';
  /** Lines, each with its end. */
  readonly fields?: string;
  readonly body?: string;
  /** Lines in place of the usual `Host`. */
  readonly host?: string;
}

/** A gateway between a target of bytes and clients of bytes. */
export interface Scene {
  readonly gateway: TestGateway;
  readonly target: RawTarget;
  /** Of the target. */
  readonly authority: string;
  /** Opens a client's connection, inside its tunnel where the way has one. */
  readonly open: () => Promise<RawConnection>;
  /** Writes a request down as the client of this way does. */
  readonly request: (asked?: Asked) => string;
  /** The first line of a request as the target gets it. */
  readonly line: (method: string, path: string) => string;
  /** Sends a request on a connection of its own; the answer once it contains `part`, or once the connection ends. */
  readonly ask: (asked: Asked, part?: string) => Promise<string>;
}

/** What a target does with each of its connections. */
type Serve = (connection: RawConnection) => void;

/** Starts a gateway and a target on a way. */
export async function startScene(way: Way, serve: Serve, options: GatewayOptions = {}): Promise<Scene> {
  // A connection that is given up in the middle of its handshake would keep the target open for two minutes.
  const target = await (way.isSecure ? createRawTlsTarget(serve, { handshakeTimeout: 500 }) : createRawTarget(serve));
  onTestFinished(() => target.close());
  const gateway = await startGateway({
    upstreams: [await upstreamOf(way, target)],
    ...options,
    targets: { allowPrivate: true, insecure: ['*'], ...options.targets },
  });
  const authority = `127.0.0.1:${target.port}`;
  const open = (): Promise<RawConnection> => openClient(way, gateway, authority);
  const request = (asked: Asked = {}): string => requestText(way, authority, asked);
  return {
    gateway,
    target,
    authority,
    open,
    request,
    line: (method, path) => {
      const isAbsolute = way.through === 'proxy' && !way.isSecure;
      return `${method} ${isAbsolute ? `http://${authority}` : ''}${path} HTTP/1.1`;
    },
    ask: async (asked, part) => {
      const client = await open();
      send(client, request(asked));
      if (part === undefined) await client.end();
      else await client.received(part);
      return client.text;
    },
  };
}

/** Writes to a client's or target's connection, a byte per character. */
export function send({ socket }: RawConnection, bytes: string): void {
  socket.write(bytes, 'latin1');
}

/** A target that answers every head without body, and keeps them. */
export function answerHeads(answer: (head: string) => string): { readonly heads: string[]; readonly serve: Serve } {
  const heads: string[] = [];
  const serve: Serve = (connection) => {
    let text = '';
    connection.socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        heads.push(head);
        send(connection, answer(head));
      }
    });
  };
  return { heads, serve };
}

/** A target that writes the same bytes once a request has come, however it goes on. */
export function answerOnce(bytes: string, { end = false } = {}): Serve {
  return (connection) =>
    void connection.socket.once('data', () => {
      send(connection, bytes);
      if (end) connection.socket.end();
    });
}

/** Waits for what no event tells of. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

/** The head of an answer, without the empty line. */
export function headOf(answer: string): string {
  return answer.split('\r\n\r\n', 1)[0] ?? '';
}

/** What follows the head of a message. */
export function bodyOf(message: string): string {
  return message.slice(headOf(message).length + 4);
}

/** The value of a field of a head, found by its exact name. */
export function fieldOf(answer: string, name: string): string | undefined {
  const line = headOf(answer)
    .split('\r\n')
    .find((candidate) => candidate.startsWith(`${name}: `));
  return line?.slice(name.length + 2);
}

/** Status and error code of an answer, and what follows its head. */
export function outcomeOf(answer: string): readonly [status: number, error: string | undefined, body: string] {
  return [Number(answer.slice(9, 12)), fieldOf(answer, 'X-Crawlera-Error'), bodyOf(answer)];
}

async function upstreamOf({ isSecure, through }: Way, target: RawTarget): Promise<string> {
  if (through === 'nothing') return 'local://127.0.0.2';
  // What it is asked in the clear, a proxy is asked by name; so the target itself can play it.
  if (through === 'proxy' && !isSecure) return `http://user:secret@127.0.0.1:${target.port}`;
  const proxy = await (through === 'proxy' ? createHttpProxy() : createSocksProxy());
  onTestFinished(() => proxy.close());
  return `${through === 'proxy' ? 'http' : 'socks5'}://127.0.0.1:${proxy.port}`;
}

async function openClient({ isSecure }: Way, { port }: TestGateway, authority: string): Promise<RawConnection> {
  if (!isSecure) return new RawConnection(openRaw(port, ''));
  const { socket } = await sendConnect(port, authority);
  const secured = tls.connect({ socket, rejectUnauthorized: false });
  onTestFinished(() => void secured.destroy());
  await new Promise((resolve, reject) => {
    secured.once('secureConnect', resolve).once('error', reject);
  });
  return new RawConnection(secured);
}

function requestText({ isSecure }: Way, authority: string, asked: Asked): string {
  const {
    method = 'GET',
    path = '/',
    version = '1.1',
    fields = '',
    body = '',
    host = `Host: ${authority}\r\n`,
  } = asked;
  const url = isSecure ? path : `http://${authority}${path}`;
  return `${method} ${url} HTTP/${version}\r\n${host}${isSecure ? '' : proxyAuth()}${fields}\r\n${body}`;
}
