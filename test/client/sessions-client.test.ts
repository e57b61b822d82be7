import { expect, test } from 'vitest';

import { json, KEY, plain, serve } from './one-answer-server.js';

const SESSION = { id: '42', name: null, outgoingIp: '127.0.0.2', uses: 0, nextUseInMs: 0 };

test('create sends the key and a JSON body, and gives the session', async () => {
  const { client, seen } = await serve(json(201, SESSION));
  expect(await client.create({ name: 'shop', country: undefined })).toEqual(SESSION);
  expect(seen).toEqual([
    {
      call: 'POST /api/sessions',
      authorization: `Basic ${Buffer.from(`${KEY}:`).toString('base64')}`,
      contentType: 'application/json',
      body: '{"name":"shop"}',
    },
  ]);
});

test('create without arguments sends an empty object', async () => {
  const { client, seen } = await serve(json(200, SESSION));
  await client.create();
  expect(seen[0]?.body).toBe('{}');
});

test('get gives the session', async () => {
  const { client, seen } = await serve(json(200, SESSION));
  expect(await client.get('4/2')).toEqual(SESSION);
  expect(seen[0]).toMatchObject({ call: 'GET /api/sessions/4%2F2', contentType: undefined, body: '' });
});

test('get and delete of an unknown session are values, not errors', async () => {
  const { client } = await serve(json(404, { error: 'bad_session_id', message: 'No session 7' }));
  expect(await client.get('7')).toBeUndefined();
  expect(await client.delete('7')).toBe(false);
});

test('delete of a session is true', async () => {
  const { client, seen } = await serve((_, response) => response.writeHead(204).end());
  expect(await client.delete('42')).toBe(true);
  expect(seen[0]?.call).toBe('DELETE /api/sessions/42');
});

test('list sends the part of the list that is asked for', async () => {
  const { client, seen } = await serve(json(200, { sessions: [SESSION], after: 'x' }));
  expect(await client.list({ after: 'a&b', limit: 10 })).toEqual({ sessions: [SESSION], after: 'x' });
  await client.list();
  expect(seen.map(({ call }) => call)).toEqual(['GET /api/sessions?after=a%26b&limit=10', 'GET /api/sessions']);
});

test('listAll goes from page to page until there is no next one', async () => {
  const { client } = await serve((request, response) => {
    const last = request.url?.includes('after=42') === true;
    const page = last ? { sessions: [{ ...SESSION, id: '43' }], after: null } : { sessions: [SESSION], after: '42' };
    json(200, page)(request, response);
  });
  const ids: string[] = [];
  for await (const { id } of client.listAll()) ids.push(id);
  expect(ids).toEqual(['42', '43']);
});

test('upstreams gives the ways out and the delays', async () => {
  const list = {
    upstreams: [{ name: 'a', outgoingIp: '127.0.0.2', country: null, sessions: 1 }],
    delays: { defaultMs: 12_000, scope: 'ip', perDomain: false, maxHoldMs: 900_000 },
  };
  const { client, seen } = await serve(json(200, list));
  expect(await client.upstreams()).toEqual(list);
  expect(seen[0]?.call).toBe('GET /api/upstreams');
});

test("the protocol's own calls work without the API of this gateway", async () => {
  const { client, seen } = await serve((request, response) => {
    if (request.method === 'POST') plain(200, '1836172', { 'X-Crawlera-Session': '1836172' })(request, response);
    else if (request.method === 'GET') json(200, { 1836172: '127.0.0.2' })(request, response);
    else plain(200, '')(request, response);
  });
  expect(await client.createPlain()).toBe('1836172');
  expect(await client.listPlain()).toEqual({ 1836172: '127.0.0.2' });
  expect(await client.deletePlain('1836172')).toBe(true);
  expect(seen.map(({ call }) => call)).toEqual(['POST /sessions', 'GET /sessions', 'DELETE /sessions/1836172']);
  expect(seen[0]).toMatchObject({ contentType: undefined, body: '' });
});

test('deletePlain of an unknown session is false', async () => {
  const { client } = await serve(plain(400, 'Bad session ID', { 'X-Crawlera-Error': 'bad_session_id' }));
  expect(await client.deletePlain('7')).toBe(false);
});
