// A server that speaks the session protocol but has no `/api`: sessions are made, found lost and ended all the same.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { configure } from './crawl.js';
import { SessionsClient } from '../../src/client/index.js';
import { GatewaySessions } from '../../src/crawlee/gateway-sessions.js';

/** A server of the protocol's `/sessions` and nothing else; `asked` is what came, in order. */
async function openPlainServer() {
  const asked: string[] = [];
  const sessions = new Map<string, string>();
  const server = createServer(({ method = '', url = '' }, response) => {
    asked.push(`${method} ${url}`);
    response.setHeader('X-Crawlera-Version', '1.0');
    if (method === 'POST' && url === '/sessions') {
      const id = String(sessions.size + 101);
      sessions.set(id, '10.0.0.1');
      response.end(id);
      return;
    }
    if (method === 'GET' && url === '/sessions') {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(Object.fromEntries(sessions)));
      return;
    }
    if (method === 'DELETE' && sessions.delete(url.replace('/sessions/', ''))) {
      response.end();
      return;
    }
    response.writeHead(404).end('not found');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  return { asked, sessions, proxyUrl: `http://some-key-0000:@127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('sessions are made and ended with the calls of the protocol', async () => {
  const server = await openPlainServer();
  const configuration = configure(server.proxyUrl);
  expect(await configuration.newUrl('a')).toContain(':session-101@');
  expect(await configuration.newUrl('b')).toContain(':session-102@');
  expect(configuration.proxySession({ id: 'a' })).toEqual({ id: '101', outgoingIp: undefined });
  await configuration.close();
  expect(server.sessions.size).toBe(0);
  expect(server.asked.filter((call) => call.startsWith('POST'))).toEqual([
    'POST /api/sessions',
    'POST /sessions',
    'POST /sessions',
  ]);
});

test('whether a session is alive is read from the list', async () => {
  const { proxyUrl } = await openPlainServer();
  const gateway = new GatewaySessions(new SessionsClient(proxyUrl), undefined);
  const { id } = await gateway.create();
  expect(await gateway.look(id)).toEqual({});
  await gateway.delete(id);
  expect(await gateway.look(id)).toBeUndefined();
  expect(await gateway.countOutgoingIps()).toBeUndefined();
});

test('a country can not be had there', async () => {
  const { proxyUrl } = await openPlainServer();
  await expect(configure(proxyUrl, { country: 'us' }).newUrl('a')).rejects.toThrow("it can't choose a country");
});
