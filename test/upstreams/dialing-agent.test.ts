import http from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';

import { connectTcp } from '../../src/upstreams/connect.js';
import { DialingAgent } from '../../src/upstreams/dialing-agent.js';
import { createHttpTarget } from '../support/target-http.js';
import { closeLater, never } from './open-upstream.js';

function createAgent(maxIdle: number): DialingAgent {
  const agent = new DialingAgent(connectTcp, { keep: true, maxIdle });
  onTestFinished(() => agent.destroy());
  return agent;
}

async function get(agent: DialingAgent, port: number): Promise<void> {
  const options = { agent, host: '127.0.0.1', port, dialSignal: never() };
  const request = http.get(options);
  const [answer] = await once(request, 'response');
  await Promise.all([text(answer), once(request, 'close')]);
}

const idle = (agent: DialingAgent) => Object.values(agent.freeSockets).flat().length;

test('keeps no more idle connections than its bound, over all peers', async () => {
  const targets = await Promise.all([1, 2, 3].map(async () => closeLater(await createHttpTarget())));
  const agent = createAgent(2);
  for (const { port } of targets) await get(agent, port);
  expect(idle(agent)).toBe(2);
});

test('counts a connection once, however often it was used, and not after it is gone', async () => {
  const first = closeLater(await createHttpTarget());
  const second = closeLater(await createHttpTarget());
  const agent = createAgent(1);
  for (let round = 0; round < 20; round++) await get(agent, first.port);
  expect(idle(agent)).toBe(1);
  const [socket] = Object.values(agent.freeSockets).flat();
  await first.close();
  if (socket !== undefined && !socket.closed) await once(socket, 'close');
  await get(agent, second.port);
  expect(idle(agent)).toBe(1);
});

test('keeps all connections to one peer that were open at a time, for a proxy is the one peer of its requests', async () => {
  const { port } = closeLater(await createHttpTarget());
  const agent = createAgent(512);
  await Promise.all(Array.from({ length: 300 }, () => get(agent, port)));
  expect(idle(agent)).toBe(300);
});
