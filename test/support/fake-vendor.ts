// A vendor of proxies with sticky sessions: a real HTTP proxy that leaves from another loopback address for each name of
// a session, forgets a name after its time, refuses names that are not as it wants them, and tells the address in its
// answers where it is told to. Its clock stands still until a test moves it.

import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import type { Socket } from 'node:net';

import { FakeClock } from './fake-clock.js';
import { closeServer, listenOnFreePort } from './target-port.js';

/** What the vendor wants, and does. */
export interface FakeVendorOptions {
  /** What `user:password` has to look like; `session` and `minutes` are read from its groups. */
  readonly credentials: RegExp;
  /** How long it keeps a session where `credentials` has no minutes. @default 10 */
  readonly minutes?: number;
  readonly countsFrom: 'use' | 'creation';
  /** Forgets a session sooner if it goes unused this long. */
  readonly idleMs?: number;
  /** Names the outgoing IP in this field of its answers. */
  readonly tellsIn?: string;
}

/** A listening vendor. */
export interface FakeVendor {
  readonly host: string;
  readonly port: number;
  readonly clock: FakeClock;
  /** The names of sessions, in the order of the requests and CONNECTs. */
  readonly sessions: readonly string[];
  /** `user:password` of each. */
  readonly credentials: readonly string[];
  /** For each connection that was opened to it, the names of sessions that came over it. */
  readonly connections: readonly ReadonlySet<string>[];
  close(): Promise<void>;
}

interface Kept {
  readonly ip: string;
  readonly createdAtMs: number;
  lastUsedAtMs: number;
}

/** Listens on a free port of 127.0.0.1. */
export async function createFakeVendor(options: FakeVendorOptions): Promise<FakeVendor> {
  const clock = new FakeClock();
  const exits = new VendorExits(options, clock);
  const sockets = new Set<Socket>();
  const server = http.createServer((request, response) => relay(request, response, exits));
  server.on('connection', (socket) => {
    sockets.add(socket);
    exits.connections.set(socket, new Set());
  });
  server.on('connect', (request: IncomingMessage, socket: Socket) =>
    tunnel(request, { client: socket, exits, sockets }),
  );
  const port = await listenOnFreePort(server);
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  };
  const { sessions, credentials } = exits;
  return {
    host: '127.0.0.1',
    port,
    clock,
    sessions,
    credentials,
    get connections() {
      return [...exits.connections.values()];
    },
    close,
  };
}

/** Which address each session has. */
class VendorExits {
  readonly sessions: string[] = [];
  readonly credentials: string[] = [];
  readonly connections = new Map<Socket, Set<string>>();
  readonly #options: FakeVendorOptions;
  readonly #clock: FakeClock;
  readonly #kept = new Map<string, Kept>();
  #given = 1;

  constructor(options: FakeVendorOptions, clock: FakeClock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** The address for a request; undefined where its credentials are refused. */
  find(request: IncomingMessage): string | undefined {
    const token = /^Basic (?<token>.+)$/.exec(request.headers['proxy-authorization'] ?? '')?.groups?.['token'] ?? '';
    const credentials = Buffer.from(token, 'base64').toString();
    const groups = this.#options.credentials.exec(credentials)?.groups;
    const session = groups?.['session'];
    if (groups === undefined || session === undefined) return undefined;
    this.sessions.push(session);
    this.connections.get(request.socket)?.add(session);
    this.credentials.push(credentials);
    return this.#ipOf(credentials, Number(groups['minutes'] ?? this.#options.minutes ?? 10) * 60_000);
  }

  /** The fields in which answers tell it. */
  tell(ip: string): Record<string, string> {
    const { tellsIn } = this.#options;
    return tellsIn === undefined ? {} : { [tellsIn]: ip };
  }

  #ipOf(name: string, keptMs: number): string {
    const { countsFrom, idleMs = Infinity } = this.#options;
    const nowMs = this.#clock.nowMs();
    const known = this.#kept.get(name);
    const fromMs = countsFrom === 'use' ? known?.lastUsedAtMs : known?.createdAtMs;
    const isOver = fromMs === undefined || nowMs >= fromMs + keptMs || nowMs >= (known?.lastUsedAtMs ?? 0) + idleMs;
    const kept = known === undefined || isOver ? { ip: this.#next(), createdAtMs: nowMs, lastUsedAtMs: nowMs } : known;
    kept.lastUsedAtMs = nowMs;
    this.#kept.set(name, kept);
    return kept.ip;
  }

  #next(): string {
    this.#given += 1;
    return `127.0.0.${this.#given}`;
  }
}

function relay(request: IncomingMessage, response: ServerResponse, exits: VendorExits): void {
  const localAddress = exits.find(request);
  if (localAddress === undefined) return void response.writeHead(407).end();
  const { hostname, port, pathname } = new URL(request.url ?? '');
  const asked = http.request({ host: hostname, port, path: pathname, localAddress, agent: false }, (answer) => {
    const fields = { ...answer.headers, ...exits.tell(localAddress) };
    // Between the vendor and the target that is, where each request has a connection of its own.
    delete fields.connection;
    response.writeHead(answer.statusCode ?? 502, fields);
    answer.pipe(response);
  });
  asked.on('error', () => response.destroy());
  asked.end();
}

interface Tunnel {
  readonly client: Socket;
  readonly exits: VendorExits;
  readonly sockets: Set<Socket>;
}

function tunnel(request: IncomingMessage, { client, exits, sockets }: Tunnel): void {
  client.on('error', () => client.destroy());
  const localAddress = exits.find(request);
  if (localAddress === undefined) return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  const { hostname, port } = new URL(`http://${request.url ?? ''}`);
  const target = net.connect({ host: hostname, port: Number(port), localAddress });
  sockets.add(target);
  target.on('error', () => client.destroy());
  target.once('connect', () => {
    const fields = Object.entries(exits.tell(localAddress)).map(([name, value]) => `${name}: ${value}\r\n`);
    client.write(`HTTP/1.1 200 OK\r\n${fields.join('')}\r\n`);
    client.pipe(target);
    target.pipe(client);
  });
}
