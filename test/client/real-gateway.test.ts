import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { Gateway, type GatewayOptions } from '../../src/gateway/index.js';

const KEY = 'configured-key';
const OTHER_KEY = 'second-api-key';

async function createClient(options: GatewayOptions = {}): Promise<{ client: SessionsClient; gateway: Gateway }> {
  const upstreams = [
    { url: 'local://127.0.0.2', name: 'two', country: 'us' },
    { url: 'local://127.0.0.3', name: 'three' },
  ];
  const gateway = new Gateway({ port: 0, apiKeys: [KEY, OTHER_KEY], sessions: { max: 3 }, upstreams, ...options });
  await gateway.listen();
  onTestFinished(() => gateway.close());
  return { client: new SessionsClient(gateway.proxyUrl), gateway };
}

test('a session is created, found, listed and ended', async () => {
  const { client } = await createClient();
  const created = await client.create({ name: 'shop', pin: 'three' });
  expect(created).toMatchObject({ name: 'shop', upstream: 'three', outgoingIp: '127.0.0.3', state: 'active' });
  expect(await client.create({ name: 'shop' })).toMatchObject({ id: created.id });
  expect(await client.get(created.id)).toMatchObject({ id: created.id });
  expect(await client.list()).toMatchObject({ sessions: [{ id: created.id }], after: null });
  expect(await client.delete(created.id)).toBe(true);
  expect(await client.delete(created.id)).toBe(false);
  expect(await client.get(created.id)).toBeUndefined();
});

test('https:// in place of http:// is told on one line', async () => {
  const { gateway } = await createClient();
  const client = new SessionsClient(gateway.proxyUrl.replace('http:', 'https:'));
  await expect(client.list()).rejects.toMatchObject({
    code: 'send_failed',
    message: `the gateway at ${client.url} did not answer: it speaks plain http on this port, not https; write http://`,
  });
});

test('listAll finds all sessions, however small the pages', async () => {
  const { client } = await createClient();
  const made = await Promise.all([client.create(), client.create(), client.create()]);
  expect((await client.list({ limit: 2 })).after).not.toBeNull();
  const ids: string[] = [];
  for await (const { id } of client.listAll({ limit: 1 })) ids.push(id);
  expect(ids.toSorted()).toEqual(made.map(({ id }) => id).toSorted());
});

test("the protocol's own calls see the same sessions", async () => {
  const { client } = await createClient();
  const id = await client.createPlain();
  const { outgoingIp } = (await client.get(id)) ?? {};
  expect(await client.listPlain()).toEqual({ [id]: outgoingIp });
  expect(await client.deletePlain(id)).toBe(true);
  expect(await client.deletePlain(id)).toBe(false);
});

test('upstreams are told with the delays', async () => {
  const { client } = await createClient();
  await client.create({ country: 'us' });
  expect(await client.upstreams()).toMatchObject({
    upstreams: [
      { name: 'two', outgoingIp: '127.0.0.2', country: 'us', sessions: 1, health: { state: 'up' } },
      { name: 'three', outgoingIp: '127.0.0.3', country: null, sessions: 0 },
    ],
    delays: { defaultMs: 12_000, scope: 'ip', perDomain: false, maxHoldMs: 900_000 },
  });
});

test('what the gateway refuses has its code', async () => {
  const { client, gateway } = await createClient();
  await expect(client.create({ pin: 'four' })).rejects.toMatchObject({ code: 'bad_request', status: 400 });
  await Promise.all([client.create(), client.create(), client.create()]);
  await expect(client.create()).rejects.toMatchObject({ code: 'user_session_limit', status: 400 });
  await expect(client.createPlain()).rejects.toMatchObject({ code: 'user_session_limit' });
  const stranger = new SessionsClient(gateway.proxyUrl.replace(KEY, 'another-key'));
  await expect(stranger.list()).rejects.toMatchObject({ code: 'bad_auth', status: 401 });
  await expect(stranger.listPlain()).rejects.toMatchObject({ code: 'bad_auth', status: 401 });
});

test('slots are booked one delay apart, given back, and refused past the longest hold', async () => {
  const { client } = await createClient({ delays: { default: '10s', maxHold: '15s', refusedRaise: false } });
  const { id, outgoingIp } = await client.create({ pacing: 'client' });
  expect(await client.bookSlot(id, 'example.com')).toMatchObject({ startsInMs: 0, outgoingIp });
  const held = await client.bookSlot(id, 'example.com:443');
  expect(held.startsInMs).toBeGreaterThan(9_000);
  expect(held.nextUseInMs).toBeGreaterThan(19_000);
  const refused = client.bookSlot(id, 'example.com');
  await expect(refused).rejects.toMatchObject({ code: 'serverbusy', status: 503, retryAfterMs: 20_000 });
  expect(await client.cancelSlot(id, held.slot)).toBe(true);
  expect(await client.cancelSlot(id, held.slot)).toBe(false);
  expect((await client.bookSlot(id, 'example.com')).startsInMs).toBeLessThanOrEqual(held.startsInMs);
  expect(await client.get(id)).toMatchObject({ uses: 2 });
});

test('a slot of another API key can be neither booked nor given back', async () => {
  const { client, gateway } = await createClient({ delays: { default: '10s' } });
  const { id } = await client.create({ pacing: 'client' });
  await client.bookSlot(id, 'example.com');
  const { slot } = await client.bookSlot(id, 'example.com');
  const stranger = new SessionsClient(gateway.proxyUrl.replace(KEY, OTHER_KEY));
  await expect(stranger.bookSlot(id, 'example.com')).rejects.toMatchObject({ code: 'bad_session_id', status: 404 });
  const own = await stranger.create();
  expect(await stranger.cancelSlot(id, slot)).toBe(false);
  expect(await stranger.cancelSlot(own.id, slot)).toBe(false);
  expect(await client.cancelSlot(id, slot)).toBe(true);
});

test('a verdict keeps the outgoing IP from that domain', async () => {
  const { client } = await createClient();
  const { id } = await client.create({ pacing: 'client' });
  expect(await client.reportVerdict(id, { host: 'www.example.com', verdict: 'good' })).toBe(true);
  await client.bookSlot(id, 'example.com');
  expect(await client.reportVerdict(id, { host: 'www.example.com', verdict: 'banned' })).toBe(true);
  await expect(client.bookSlot(id, 'shop.example.com')).rejects.toMatchObject({
    code: 'banned',
    retryAfterMs: 600_000,
  });
  expect(await client.bookSlot(id, 'example.org')).toBeDefined();
  expect(await client.reportVerdict('404', { host: 'example.com', verdict: 'good' })).toBe(false);
});

for (const [what, body] of [
  ['a slot without a host', {}],
  ['a slot with a URL for a host', { host: 'http://example.com/' }],
  ['a slot with more than a host', { host: 'example.com', at: 5 }],
] as const) {
  test(`${what} is refused with what was wrong`, async () => {
    const { client, gateway } = await createClient();
    const { id } = await client.create();
    const response = await fetch(`${gateway.url}/api/sessions/${id}/slots`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${KEY}:`)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: 'bad_request', message: expect.stringMatching(/host|at/) });
  });
}
