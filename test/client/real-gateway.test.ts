import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { Gateway } from '../../src/gateway/index.js';

const KEY = 'configured-key';

async function createClient(): Promise<{ client: SessionsClient; gateway: Gateway }> {
  const upstreams = [
    { url: 'local://127.0.0.2', name: 'two', country: 'us' },
    { url: 'local://127.0.0.3', name: 'three' },
  ];
  const gateway = new Gateway({ port: 0, apiKeys: [KEY], sessions: { max: 3 }, upstreams });
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
  expect(await client.upstreams()).toEqual({
    upstreams: [
      { name: 'two', outgoingIp: '127.0.0.2', country: 'us', sessions: 1 },
      { name: 'three', outgoingIp: '127.0.0.3', country: null, sessions: 0 },
    ],
    delays: { defaultMs: 12_000, scope: 'ip', maxHoldMs: 900_000 },
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
