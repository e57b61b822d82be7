// A real gateway on a free port of loopback, with what happened in it, and a target that says who came when.

import { mkdtempSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, onTestFinished } from 'vitest';
import { Gateway, type GatewayEvent, type GatewayOptions } from '../../src/gateway/index.js';
import { closeServer, listenOnFreePort } from './target-port.js';

export const API_KEY = 'test-key-1';
export const OTHER_KEY = 'test-key-2';

/** One for all gateways of a test file, so that their certificate authority is made once. */
export const DATA_DIR = mkdtempSync(path.join(tmpdir(), 'session-proxy-test-'));
afterAll(() => rmSync(DATA_DIR, { recursive: true, force: true }));

/** A gateway under test. */
export interface TestGateway {
  readonly gateway: Gateway;
  readonly url: string;
  readonly port: number;
  readonly events: readonly GatewayEvent[];
  /** Resolves with the first event, past or future, that the check accepts. */
  readonly event: (accepts: (event: GatewayEvent) => boolean) => Promise<GatewayEvent>;
}

/** Starts a gateway over 127.0.0.2 and 127.0.0.3 without delays, changed where a test says so. */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const events: GatewayEvent[] = [];
  const checks = new Set<() => void>();
  const gateway = new Gateway(
    {
      port: 0,
      apiKeys: [API_KEY, OTHER_KEY],
      upstreams: ['local://127.0.0.2', 'local://127.0.0.3'],
      targets: { allowPrivate: true },
      drainTimeout: '200ms',
      dataDir: DATA_DIR,
      ...options,
      delays: { default: 0, ...options.delays },
    },
    {
      onEvent: (event) => {
        events.push(event);
        for (const check of checks) check();
      },
    },
  );
  await gateway.listen();
  onTestFinished(() => gateway.close());
  const event: TestGateway['event'] = (accepts) =>
    new Promise((resolve) => {
      const check = (): void => {
        const found = events.find((candidate) => accepts(candidate));
        if (found === undefined) return;
        checks.delete(check);
        resolve(found);
      };
      checks.add(check);
      check();
    });
  return { gateway, url: gateway.url, port: Number(new URL(gateway.url).port), events, event };
}

/** A request as its target saw it. */
export interface Arrival {
  readonly fromIp: string;
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  /** When its head was read, in milliseconds of this process's monotonic clock. */
  readonly atMs: number;
}

/** A listening target with the requests it saw. */
export interface TestTarget {
  readonly port: number;
  /** `http://127.0.0.1:port`, without a slash behind. */
  readonly url: string;
  readonly arrivals: readonly Arrival[];
  /** Connections it was offered, whether or not a request came. */
  readonly connections: () => number;
}

/** Starts an HTTP target; it echoes the body, in the framing it came in, unless `listener` answers. */
export async function startTarget(listener?: RequestListener): Promise<TestTarget> {
  const arrivals: Arrival[] = [];
  let connections = 0;
  const server = http.createServer({ maxHeaderSize: 256 * 1024 }, (req, res) => {
    arrivals.push(arrivalOf(req));
    if (listener !== undefined) return listener(req, res);
    const length = req.headers['content-length'];
    if (length !== undefined) res.setHeader('Content-Length', length);
    return req.pipe(res);
  });
  server.on('connection', () => (connections += 1));
  server.maxHeadersCount = 0;
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return { port, url: `http://127.0.0.1:${port}`, arrivals, connections: () => connections };
}

function arrivalOf({ socket, method = '', url = '', rawHeaders }: IncomingMessage): Arrival {
  const fromIp = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return { fromIp, method, url, rawHeaders, atMs: performance.now() };
}
