// A proxy in this process for browsers, in front of a server that knows sessions by a header only: what comes with a
// session in its credentials goes on with that session in a header. Over https the header is on the CONNECT, where it
// holds for all requests inside, so that no TLS is ended here. Which session is whose is not known here.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Duplex } from 'node:stream';

import type { GatewayAddress } from '../client/gateway-url.js';
import { readBasicAuth } from '../protocol/basic-auth.js';
import { HEADER, isProtocolHeader } from '../protocol/header-names.js';
import { headOf, passedFields, watchLeaving } from './header-hop-wire.js';
import { readSessionParameter } from './proxy-url.js';

/**
 * Status of an answer in place of a server that can't be reached, as proxy-chain has it, whose server Crawlee puts
 * before each browser anyhow: both are read alike.
 *
 * @see https://github.com/apify/proxy-chain/blob/v2.7.1/src/statuses.ts
 */
const UNREACHED_STATUS = 594;

/** What a `HeaderHop` depends on. */
export interface HeaderHopOptions {
  /** The server behind. */
  readonly server: GatewayAddress;
  /** Fields that every request carries beside its session. */
  readonly steadyHeaders: Readonly<Record<string, string>>;
}

/** The proxy; it listens from the first `listen()` on, on a loopback address and with a key of its own. */
export class HeaderHop {
  readonly #options: HeaderHopOptions;
  readonly #apiKey = randomBytes(16).toString('hex');
  readonly #sockets = new Set<Duplex>();
  readonly #server = http.createServer({ requestTimeout: 0 });
  #listening: Promise<void> | undefined;
  #url = 'http://127.0.0.1:0';

  constructor(options: HeaderHopOptions) {
    this.#options = options;
    this.#server.on('request', (request, response) => this.#forward(request, response));
    this.#server.on('connect', (request, socket, head) => this.#tunnel(request, socket, head));
    this.#server.on('connection', (socket) => this.#track(socket));
  }

  /** Where browsers are to be sent, as if it were a gateway; its port is known once `listen()` has resolved. */
  get address(): GatewayAddress {
    const readUrl = (): string => this.#url;
    return {
      get url() {
        return readUrl();
      },
      apiKey: this.#apiKey,
    };
  }

  /** Begins to listen, once. It keeps no process alive. */
  async listen(): Promise<void> {
    this.#listening ??= new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => {
        this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
        resolve();
      });
      this.#server.unref();
    });
    return this.#listening;
  }

  /** Stops at once; what is under way is broken off. */
  async close(): Promise<void> {
    if (this.#listening === undefined) return;
    await this.#listening;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    const headers = this.#headersFor(request);
    if (headers === undefined) {
      response.writeHead(407, { [HEADER.proxyAuthenticate]: 'Basic realm="session"' }).end();
      return;
    }
    const onward = this.#send({ method: request.method, path: request.url, headers });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passedFields(answer.rawHeaders));
      // A broken answer breaks the browser's connection too; nobody else is to be told.
      pipeline(answer, response, () => undefined);
    });
    onward.on('error', (error) => {
      if (response.headersSent || !isUnreached(error)) response.destroy();
      else response.writeHead(UNREACHED_STATUS).end();
    });
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  #tunnel(request: http.IncomingMessage, client: Duplex, head: Buffer): void {
    client.on('error', () => client.destroy());
    const headers = this.#headersFor(request);
    if (headers === undefined) {
      client.end(
        `HTTP/1.1 407 Proxy Authentication Required\r\n${HEADER.proxyAuthenticate}: Basic realm="session"\r\n\r\n`,
      );
      return;
    }
    const onward = this.#send({ method: 'CONNECT', path: request.url, headers });
    const early = watchLeaving(client, head, () => onward.destroy());
    onward.on('connect', (answer, remote: Socket, firstBytes) => {
      this.#track(remote);
      remote.on('error', () => remote.destroy());
      const sent = early.stop();
      client.write(headOf(answer));
      if (answer.statusCode !== 200) {
        client.end(firstBytes);
        remote.destroy();
        return;
      }
      if (firstBytes.length > 0) client.write(firstBytes);
      if (sent.length > 0) remote.write(sent);
      // Either side's end is the other's; there is nobody to tell of it.
      pipeline(client, remote, () => undefined);
      pipeline(remote, client, () => undefined);
    });
    onward.on('error', () => client.end(`HTTP/1.1 ${UNREACHED_STATUS} Unreached\r\n\r\n`));
    onward.end();
  }

  /**
   * The fields of a request as they go on; undefined where it has not our key or names no session. Fields of the protocol
   * that a page has set itself do not: the session is not its choice.
   */
  #headersFor({ rawHeaders, headers }: http.IncomingMessage): string[] | undefined {
    const { user, password } = readBasicAuth(headers['proxy-authorization']) ?? { user: '', password: '' };
    const sessionId = readSessionParameter(password);
    if (!isSame(user, this.#apiKey) || sessionId === undefined) return undefined;
    const { server, steadyHeaders } = this.#options;
    const credentials = Buffer.from(`${server.apiKey}:`).toString('base64');
    const steady = Object.entries(steadyHeaders).flat();
    const passed = passedFields(rawHeaders, isProtocolHeader);
    return [...passed, 'Proxy-Authorization', `Basic ${credentials}`, ...steady, HEADER.session, sessionId];
  }

  /** Ours: each request has a connection of its own, so that none can fall on one that the server has just closed. */
  #send(options: {
    readonly method: string | undefined;
    readonly path: string | undefined;
    readonly headers: string[];
  }) {
    const { protocol, hostname, port } = new URL(this.#options.server.url);
    const { request } = protocol === 'https:' ? https : http;
    return request({ ...options, protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, agent: false });
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

function isUnreached(error: Error): boolean {
  return 'code' in error && ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT'].includes(String(error.code));
}

function isSame(given: string, known: string): boolean {
  const [left, right] = [given, known].map((text) => createHash('sha256').update(text).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}
