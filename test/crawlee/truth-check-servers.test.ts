// What the check does with servers that can't tell which tunnels a session has: it counts nothing, and says so once.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Log, Logger, Request, Session, SessionPool } from 'crawlee';
import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { GatewaySessions } from '../../src/crawlee/gateway-sessions.js';
import type { Transport } from '../../src/crawlee/options.js';
import { TruthCheck } from '../../src/crawlee/truth-check.js';

/** Keeps what it is told. */
class KeptLines extends Logger {
  readonly lines: string[] = [];

  override _log(_level: number, message: string): void {
    this.lines.push(message);
  }
}

/** A server whose sessions are as an older gateway shows them; one with no `/api` at all where `isPlain`. */
async function openServer({ isPlain }: { readonly isPlain: boolean }) {
  let looks = 0;
  const server = createServer(({ method = '', url = '' }, response) => {
    if (method === 'GET') looks += 1;
    if (!isPlain && url.startsWith('/api/sessions')) {
      response.setHeader('content-type', 'application/json');
      response.writeHead(method === 'POST' ? 201 : 200).end(JSON.stringify({ id: '7', outgoingIp: '10.0.0.1' }));
      return;
    }
    if (isPlain && method === 'POST' && url === '/sessions') response.end('7');
    else response.writeHead(404).end('not found');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => server.close().closeAllConnections());
  return { proxyUrl: `http://some-key-0000:@127.0.0.1:${(server.address() as AddressInfo).port}`, looks: () => looks };
}

/** A check of pages that are said to be loaded through such a server. */
async function open(given: { readonly isPlain?: boolean; readonly transport?: Transport } = {}) {
  const { isPlain = false, transport = 'credentials' } = given;
  const server = await openServer({ isPlain });
  const gateway = new GatewaySessions(new SessionsClient(server.proxyUrl), undefined);
  const info = await gateway.create();
  const logger = new KeptLines({});
  const log = new Log({ level: 5, logger });
  const withhold = (): void => undefined;
  const truth = new TruthCheck({
    gateway,
    bindings: { find: () => info },
    verdicts: { withhold },
    transport,
    onMismatch: 'count',
    log,
  });
  const session = new Session({ sessionPool: new SessionPool() });
  const load = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> => {
    await truth.verify({ request: new Request({ url }), session, response: { url, statusCode: 200, headers } });
    await truth.settled();
    return truth.mismatches;
  };
  return { load, lines: logger.lines, looks: server.looks };
}

const HTTPS = 'https://127.0.0.1:1/';
const HTTP = 'http://127.0.0.1:1/';

test('an older gateway is asked once, and nothing is counted over https', async () => {
  const { load, lines, looks } = await open();
  for (let page = 0; page < 3; page += 1) {
    // oxlint-disable-next-line no-await-in-loop
    expect(await load(HTTPS)).toBe(0);
  }
  expect(looks()).toBe(1);
  expect(lines).toEqual(['This gateway does not tell by which session https pages left']);
});

test('a server without /api is not asked at all', async () => {
  const { load, lines, looks } = await open({ isPlain: true });
  expect(await load(HTTPS)).toBe(0);
  expect(looks()).toBe(0);
  expect(lines).toHaveLength(1);
});

test('over http its answers tell all the same, and the first mismatch is told of', async () => {
  const { load, lines } = await open({ isPlain: true });
  expect(await load(HTTP, { 'x-crawlera-session': '7' })).toBe(0);
  expect(await load(HTTP)).toBe(0);
  expect(await load(HTTP, { 'x-crawlera-session': '8' })).toBe(1);
  expect(await load(HTTP, { 'x-crawlera-session': '8' })).toBe(2);
  const warnings = lines.filter((line) => line.includes('did not leave by'));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('came by the gateway session 8');
});

test("with transport 'headers' answers tell over https, too, for the server looks inside", async () => {
  const { load, looks } = await open({ isPlain: true, transport: 'headers' });
  expect(await load(HTTPS, { 'x-crawlera-session': '7' })).toBe(0);
  expect(await load(HTTPS)).toBe(0);
  expect(await load(HTTPS, { 'x-crawlera-session': '8' })).toBe(1);
  expect(looks()).toBe(0);
});
