// What a session tells of what came in it, so that a client can find out by which session something left.

import { expect, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import { startGateway, startTarget, type TestGateway } from '../support/gateway.js';
import { sendConnect, sendGet } from '../support/raw-client.js';

/** A gateway with a session, and what that tells. */
async function open() {
  const gateway = await startGateway();
  const client = new SessionsClient(gateway.gateway.proxyUrl);
  const { id } = await client.create();
  const seen = async () => {
    const session = await client.get(id);
    return { requests: session?.requests, tunnels: session?.tunnels };
  };
  return { gateway, port: gateway.port, id, password: `session-${id}`, seen };
}

function settled({ event }: TestGateway) {
  return event(({ type }) => type === 'use.settled');
}

test('a new session tells of nothing', async () => {
  const { seen } = await open();
  expect(await seen()).toEqual({ requests: 0, tunnels: [] });
});

test('requests are counted, and are no tunnels', async () => {
  const { port, password, seen } = await open();
  const target = await startTarget();
  await sendGet(port, `${target.url}/`, '', password);
  await sendGet(port, `${target.url}/`, '', password);
  await sendGet(port, `${target.url}/`);
  expect(await seen()).toEqual({ requests: 2, tunnels: [] });
});

test('a tunnel is told of while it is open, and afterwards since when it is not', async () => {
  const { gateway, port, password, seen } = await open();
  const target = await startTarget();
  const authority = `127.0.0.1:${target.port}`;
  const { socket } = await sendConnect(port, authority, { password });
  expect(await seen()).toEqual({ requests: 1, tunnels: [{ target: authority, open: 1, lastOpenMsAgo: 0 }] });
  socket.destroy();
  await settled(gateway);
  const { tunnels = [] } = await seen();
  expect(tunnels).toMatchObject([{ target: authority, open: 0 }]);
  const [first] = tunnels;
  expect(first?.lastOpenMsAgo).toBeGreaterThanOrEqual(0);
  expect(first?.lastOpenMsAgo).toBeLessThan(60_000);
});

test.each([
  ['LOCALHOST.:1', 'localhost:1'],
  ['0x7f.1:1', '127.0.0.1:1'],
  ['[0:0::1]:1', '[::1]:1'],
])('a target is spelled as a URL spells it, and told of though it can not be reached: %s', async (asked, told) => {
  const { gateway, port, password, seen } = await open();
  const { answer } = await sendConnect(port, asked, { password });
  expect(answer.status).not.toBe(200);
  await settled(gateway);
  expect(await seen()).toMatchObject({ requests: 1, tunnels: [{ target: told, open: 0 }] });
});

test('a tunnel outside sessions is nobody’s', async () => {
  const { port, seen } = await open();
  const target = await startTarget();
  await sendConnect(port, `127.0.0.1:${target.port}`, { password: 'session-another' });
  expect(await seen()).toEqual({ requests: 0, tunnels: [] });
});
