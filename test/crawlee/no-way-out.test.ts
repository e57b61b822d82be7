// A gateway whose upstreams are all down: it costs time, and neither pages nor sessions, but not for ever. The gateway is
// real; a hop before it says that there is no way out as often as a test wants, as a gateway would.

import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { CriticalError, RetryRequestError, SessionError } from 'crawlee';
import { expect, onTestFinished, test } from 'vitest';

import { NoWayOut } from '../../src/crawlee/no-way-out.js';
import type { SessionResource } from '../../src/protocol/rest.js';
import { configure, createCrawler, listSessions, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

/** What the hop has no way out for, once. */
type Refused = 'CONNECT' | 'slots' | 'sessions';

const BODY = JSON.stringify({ error: 'noslaves', message: 'No upstream is usable now; try again later' });
const FIELDS = { 'X-Crawlera-Version': '0.1.0', 'X-Crawlera-Error': 'noslaves', 'Retry-After': '1' };

/** Stands before a gateway and refuses one call of a kind. */
async function openHop(gatewayUrl: string, refused: Refused): Promise<string> {
  const to = new URL(gatewayUrl);
  let isLeft = true;
  const refusedHosts: string[] = [];
  const isRefused = (path: string): boolean => isLeft && refused !== 'CONNECT' && path.endsWith(`/${refused}`);
  const server = createServer((request, response) => {
    if (request.method === 'POST' && isRefused(request.url ?? '')) {
      isLeft = false;
      request.resume();
      response.writeHead(503, { ...FIELDS, 'Content-Type': 'application/json' }).end(BODY);
    } else void pass(request, response, { to, refusedHosts });
  });
  server.on('connect', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (refused === 'CONNECT' && isLeft) {
      isLeft = false;
      refusedHosts.push(new URL(`http://${request.url}`).hostname);
      const fields = Object.entries(FIELDS).map((field) => `${field.join(': ')}\r\n`);
      socket.end(`HTTP/1.1 503 Service Unavailable\r\n${fields.join('')}Content-Length: 0\r\n\r\n`);
      return;
    }
    const remote = connect(Number(to.port), to.hostname, () => {
      const auth = `Proxy-Authorization: ${request.headers['proxy-authorization']}\r\n`;
      remote.write(`CONNECT ${request.url} HTTP/1.1\r\nHost: ${request.url}\r\n${auth}\r\n`);
      remote.write(head);
      remote.pipe(socket).pipe(remote);
    });
    remote.on('error', () => socket.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  return `http://${to.username}:@127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Passes a call of the API on, and tells of the refusals here as the gateway tells of its own. */
async function pass(
  request: IncomingMessage,
  response: ServerResponse,
  { to, refusedHosts }: { readonly to: URL; readonly refusedHosts: readonly string[] },
): Promise<void> {
  const { method, url: path, headers } = request;
  const call = forward({ host: to.hostname, port: to.port, method, path, headers });
  request.pipe(call);
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  const body = await text(answer);
  const host = refusedHosts[0];
  const isSession = method === 'GET' && /^\/api\/sessions\/\d+$/.test(path ?? '');
  const told = isSession && host !== undefined ? withRefusal(body, host) : body;
  const { 'content-length': _length, ...rest } = answer.headers;
  response.writeHead(answer.statusCode ?? 502, rest).end(told);
}

function withRefusal(body: string, host: string): string {
  const session = JSON.parse(body) as SessionResource;
  const lastRefusal = { code: 'noslaves', host, at: new Date().toISOString(), msAgo: 0 };
  return JSON.stringify({ ...session, lastRefusal });
}

test.each([
  ['a tunnel', 'CONNECT', 0],
  ['a start that is booked', 'slots', '50ms'],
  ['a session that is made', 'sessions', 0],
] as const)('%s without a way out costs time, and neither a page nor the session', async (_name, refused, delay) => {
  const gateway = await openGateway({ delays: { default: delay } });
  const target = await openTarget();
  const errors: Error[] = [];
  const crawler = createCrawler(
    configure(await openHop(gateway.proxyUrl, refused)).httpCrawlerOptions({
      maxConcurrency: 1,
      sessionPoolOptions: { maxPoolSize: 1 },
      requestHandler() {},
      errorHandler: (_context, error) => void errors.push(error),
    }),
  );
  const { requestsFinished } = await crawler.run([`${target.https}/1`]);
  expect(requestsFinished).toBe(1);
  expect(errors).toEqual([expect.any(RetryRequestError)]);
  expect(errors[0]).not.toBeInstanceOf(SessionError);
  expect(crawler.sessionPool?.getState().sessions.map(({ errorScore }) => errorScore)).toEqual([0]);
  expect(await listSessions(gateway)).toHaveLength(1);
});

test('the run ends when nobody has had a way out for ten minutes, counted from the last page', async () => {
  let nowMs = 0;
  const noWayOut = new NoWayOut('http://127.0.0.1:8011', () => nowMs);
  const refusal = new Error('No upstream is usable now');
  const after = async (minutes: number): Promise<Error> => {
    nowMs += minutes * 60_000;
    return noWayOut.wait(refusal, 1);
  };
  expect(await after(1)).toBe(refusal);
  expect(await after(9)).toBe(refusal);
  noWayOut.markFound();
  expect(await after(9)).toBe(refusal);
  const end = await after(11);
  expect(end).toBeInstanceOf(CriticalError);
  expect(end.message).toContain('has had no usable upstream for minutes');
});
