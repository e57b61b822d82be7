// What a session was refused last, told to whoever asks for the session: clients of tunnels are shown no reason.

import { expect, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import type { GatewayOptions, UseSettled } from '../../src/gateway/index.js';
import { LastRefusals } from '../../src/gateway/last-refusals.js';
import { FakeClock } from '../support/fake-clock.js';
import { OTHER_KEY, startGateway, startTarget } from '../support/gateway.js';
import { sendConnect, sendGet } from '../support/raw-client.js';

/** A gateway with a session, and what that was refused. */
async function open(options: GatewayOptions = {}) {
  const { gateway, port, event } = await startGateway({ intercept: 'never', ...options });
  const client = new SessionsClient(gateway.proxyUrl);
  const { id, lastRefusal } = await client.create();
  expect(lastRefusal).toBeNull();
  return {
    port,
    id,
    event,
    client,
    password: `session-${id}`,
    refused: async () => (await client.get(id))?.lastRefusal,
  };
}

test.each([
  ['a closed port', 'econnrefused', '127.0.0.1:9', '127.0.0.1', {}],
  ['a name that is none', 'nxdomain', 'nowhere.invalid:443', 'nowhere.invalid', {}],
  ['a private address', 'domain_forbidden', '[::1]:443', '::1', { targets: { allowPrivate: false } }],
] as const)('of a tunnel to %s the session tells %s', async (_name, code, authority, host, options) => {
  const { port, password, refused } = await open(options);
  const { answer } = await sendConnect(port, authority, { password });
  expect(answer.header('X-Crawlera-Error')).toBe(code);
  const told = await refused();
  expect(told).toEqual({ code, host, at: expect.any(String), msAgo: expect.any(Number) });
  expect(Date.now() - Date.parse(told?.at ?? '')).toBeLessThan(60_000);
  expect(told?.msAgo).toBeLessThan(60_000);
});

test('a wait that is too long and a want of room are told, too, each in place of the one before', async () => {
  const target = await startTarget();
  const authority = `127.0.0.1:${target.port}`;
  const { port, password, refused } = await open({
    upstreams: ['local://127.0.0.2'],
    delays: { default: '1m', maxHold: '10ms' },
    maxConnections: 1,
  });
  const tries = await Promise.all([1, 2].map(() => sendConnect(port, authority, { password })));
  const codes = tries.map(({ answer }) => answer.header('X-Crawlera-Error'));
  expect(codes).toContain('too_many_conns');
  expect(await refused()).toMatchObject({ code: 'too_many_conns', host: '127.0.0.1' });
  const { answer } = await sendConnect(port, 'localhost:1', { password });
  expect(answer.header('X-Crawlera-Error')).toBe('serverbusy');
  expect(await refused()).toMatchObject({ code: 'serverbusy', host: 'localhost' });
});

test('what a target answers is no refusal, nor is what another session was refused', async () => {
  const target = await startTarget((_req, res) => res.writeHead(503, { 'X-Crawlera-Error': 'banned' }).end());
  const { port, password, refused, client } = await open({ bans: { statuses: [] } });
  expect((await sendGet(port, `${target.url}/`, '', password)).status).toBe(503);
  const { id: another } = await client.create();
  await sendConnect(port, '127.0.0.1:9', { password: `session-${another}` });
  expect(await refused()).toBeNull();
});

test('over http it is told as well', async () => {
  const { port, password, refused } = await open();
  await sendGet(port, 'http://127.0.0.1:9/', '', password);
  expect(await refused()).toMatchObject({ code: 'econnrefused', host: '127.0.0.1' });
});

test('a session that has ended leaves nothing, and past the bound the one refused longest ago is forgotten', () => {
  const refusals = new LastRefusals(new FakeClock());
  const refuse = (owner: string, sessionId: string): void => {
    const refused = { owner, sessionId, target: 'example.com:443' };
    refusals.onEvent({ type: 'request.rejected', error: 'too_many_conns', message: 'no', remote: '::1', refused });
  };
  refuse('me', '1');
  expect(refusals.find(OTHER_KEY, '1')).toBeUndefined();
  expect(refusals.find('me', '1')).toEqual({ code: 'too_many_conns', host: 'example.com', atMs: expect.any(Number) });
  refusals.onEvent({ type: 'session.ended', owner: 'me', sessionId: '1', reason: 'deleted' });
  expect(refusals.find('me', '1')).toBeUndefined();
  for (let id = 0; id < 10_001; id += 1) refuse('me', String(id));
  expect(refusals.find('me', '0')).toBeUndefined();
  expect(refusals.find('me', '1')).toBeDefined();
});

test('an attempt that is followed by another, and a client that left, were refused nothing', () => {
  const refusals = new LastRefusals(new FakeClock());
  const settled: UseSettled = {
    type: 'use.settled',
    owner: 'me',
    kind: 'request',
    method: 'GET',
    target: 'example.com:80',
    sessionId: '1',
    upstream: 'u',
    outgoingIp: '127.0.0.2',
    waitMs: 0,
    tookMs: 1,
    status: undefined,
    error: 'timeout',
    retried: true,
    jobId: undefined,
    client: undefined,
    bytesOut: 0,
    bytesIn: 0,
  };
  refusals.onEvent(settled);
  refusals.onEvent({ ...settled, retried: false, error: 'client_conn_closed' });
  expect(refusals.find('me', '1')).toBeUndefined();
  refusals.onEvent({ ...settled, retried: false, status: 504 });
  expect(refusals.find('me', '1')).toMatchObject({ code: 'timeout' });
});
