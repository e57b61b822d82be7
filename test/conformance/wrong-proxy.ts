// A proxy that looks like one of the protocol and does nearly everything wrong, so that checks can be seen to fail: it
// wants no key, forgets what it promised, sends on what it should keep, and repeats what it should not.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import { onTestFinished } from 'vitest';
import { TARGET_CERTIFICATE } from '../../conformance/targets/target-certificate.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

const KEY = 'some-api-key';
const ADDRESSES = ['127.0.0.2', '127.0.0.3'];

/** Told with every answer, whether asked for or not. */
const ALWAYS_TOLD = ['x-crawlera-session', '42', 'x-crawlera-debug-ua', 'x', 'x-crawlera-next-request-in', 'soon'];

/** Starts the proxy; resolves with its URL. */
export async function startWrongProxy(): Promise<string> {
  const sessions: Record<string, string> = {};
  let requests = 0;
  const server = http.createServer({ requireHostHeader: false }, (req, res) => {
    requests += 1;
    if (req.url?.startsWith('/') === true) serveApi(req, res, sessions);
    else void relay(req, res, requests);
  });
  server.on('connect', openTunnel);
  server.on('upgrade', (_req, socket) => socket.end('HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n'));
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return `http://${KEY}:@127.0.0.1:${port}`;
}

/** A session API that answers JSON, counts its IDs up and deletes nothing. */
function serveApi(req: IncomingMessage, res: ServerResponse, sessions: Record<string, string>): void {
  if (req.url === '/ca.crt') res.end(`${TARGET_CERTIFICATE.cert}${TARGET_CERTIFICATE.key}`);
  else if (req.url?.startsWith('/stats/') === true) res.end('{}');
  else if (req.method === 'DELETE') res.writeHead(500, ['x-crawlera-error', 'no']).end();
  else if (req.method === 'POST') {
    const id = String(1 + Object.keys(sessions).length);
    sessions[id] = ADDRESSES[Number(id) % 2] as string;
    res.end(`${id}\n`);
  } else res.end(JSON.stringify(sessions));
}

/** Wants a port in `Host`, and says more than it may before the tunnel. */
function openTunnel(req: IncomingMessage, client: net.Socket): void {
  client.on('error', () => client.destroy());
  if (req.headers.host?.includes(':') !== true) {
    client.end('HTTP/1.1 400 No\r\n\r\n');
    return;
  }
  const [host, port] = (req.url ?? '').split(':');
  const target = net.connect({ host, port: Number(port) }, () => {
    client.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    client.pipe(target).pipe(client);
  });
  target.on('error', () => client.destroy());
  target.on('close', () => client.destroy());
  client.on('close', () => target.destroy());
}

/** Sends a request on, nearly as it is, from any address, three times if need be, and follows redirects. */
async function relay(req: IncomingMessage, res: ServerResponse, turn: number): Promise<void> {
  const credentials = req.headers['proxy-authorization'] ?? `Basic ${btoa(`${KEY}:`)}`;
  if (credentials !== `Basic ${btoa(`${KEY}:`)}` || req.headers['x-crawlera-timeout'] !== undefined) {
    res.writeHead(403).end();
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).subarray(0, 1000);
  let answer: IncomingMessage | undefined;
  let url = req.url ?? '';
  for (let attempt = 0; attempt < 3; attempt += 1) {
    answer?.resume();
    answer = await send(req, { url, body, localAddress: ADDRESSES[(turn + attempt) % 2] as string });
    url = answer?.headers.location ?? url;
    if (answer?.statusCode === 200) break;
  }
  const status = answer?.statusCode ?? 500;
  res.writeHead(status, [
    ...(answer?.rawHeaders ?? []),
    ...ALWAYS_TOLD,
    ...(status === 200 ? [] : ['x-crawlera-error', 'x']),
  ]);
  if (answer === undefined) res.end();
  else answer.pipe(res);
}

interface Attempt {
  readonly url: string;
  readonly body: Buffer;
  readonly localAddress: string;
}

async function send(
  { method = '', headers }: IncomingMessage,
  { url, body, localAddress }: Attempt,
): Promise<IncomingMessage | undefined> {
  if (!url.startsWith('http:')) return undefined;
  const { 'content-length': _, ...kept } = headers;
  const changed = { ...kept, via: '1.1 wrong', cookie: 'other=1', 'user-agent': `Robot/${Math.random()}` };
  return new Promise((resolve) => {
    const attempt = http.request(url, { method, headers: changed, localAddress, agent: false });
    attempt.on('response', resolve);
    attempt.on('error', () => resolve(undefined));
    attempt.end(body);
  });
}
