import type { IncomingMessage } from 'node:http';

import { expect, test } from 'vitest';

import { describeFailure } from '../../src/client/client-error.js';
import { SessionsClient, SessionsClientError } from '../../src/client/index.js';
import { json, KEY, plain, serve, unusedAddress } from './one-answer-server.js';

for (const [name, answer, code, status, told] of [
  [
    'a wrong key',
    plain(401, '', { 'X-Crawlera-Error': 'bad_auth' }),
    'bad_auth',
    401,
    'refused the API key (401 bad_auth)',
  ],
  ['a wrong key, told in JSON', json(401, { error: 'bad_auth', message: '' }), 'bad_auth', 401, 'refused the API key'],
  ['a bare 401', plain(401, ''), 'bad_auth', 401, 'refused the API key'],
  [
    'too many sessions',
    json(400, { error: 'user_session_limit', message: 'at most 5' }),
    'user_session_limit',
    400,
    'answered 400 user_session_limit to POST /api/sessions: at most 5',
  ],
  ['an error in a success', plain(200, 'x', { 'X-Crawlera-Error': 'banned' }), 'banned', 200, 'answered 200 banned'],
  ["the page of another program's server", plain(200, '<html>'), 'unexpected_answer', 200, 'is the address right?'],
  ['JSON of another shape', json(200, { id: 42 }), 'unexpected_answer', 200, "not one of a gateway's"],
  ['a 404 without a code', plain(404, 'Not found'), 'unexpected_answer', 404, 'is the address right?'],
  ['a redirect', plain(302, '', { location: '/elsewhere' }), 'unexpected_answer', 302, "not one of a gateway's"],
  ['a 407', plain(407, ''), 'send_failed', undefined, 'is the API key right'],
  ['a closed connection', closeConnection, 'econnreset', undefined, 'closed the connection'],
] as const) {
  test(`${name} is ${code}`, async () => {
    const { client, seen, url } = await serve(answer);
    const error = await failureOf(client.create());
    expect(error).toMatchObject({ name: 'SessionsClientError', code, status });
    expect(error.message).toContain(told);
    expect(error.message).toContain(url);
    expect(seen).toHaveLength(1);
  });
}

test('nobody listening is told as such, with the cause', async () => {
  const { client, url } = await unusedAddress();
  const error = await failureOf(client.create());
  expect(error).toMatchObject({ code: 'econnrefused', status: undefined });
  expect(error.message).toBe(
    `the gateway at ${url} did not answer: connection refused; is \`session-proxy serve\` running?`,
  );
  expect(error.cause).toBeInstanceOf(Error);
});

for (const port of [1, 9, 6000, 10_080]) {
  test(`port ${port}, which fetch does not allow, is told as such`, async () => {
    const error = await failureOf(new SessionsClient(`http://${KEY}:@127.0.0.1:${port}`).list());
    expect(error).toMatchObject({ code: 'send_failed', status: undefined });
    expect(error.message).toBe(
      `the gateway at http://127.0.0.1:${port} did not answer: fetch does not allow port ${port}, for it belongs to ` +
        'another protocol; choose another port for the gateway',
    );
  });
}

test('a failure in words of several lines is told on one', () => {
  const error = new TypeError('fetch failed', { cause: new Error('80C:error:0A:SSL\n  routines:\n') });
  const { message } = describeFailure(error, 'https://h:1', 1);
  expect(message).toBe('the gateway at https://h:1 did not answer: 80C:error:0A:SSL routines:');
});

test('an answer that does not come in time', async () => {
  const { client } = await serve(() => undefined, 20);
  const error = await failureOf(client.list());
  expect(error).toMatchObject({ code: 'timeout', status: undefined });
  expect(error.message).toContain('nothing came within 20 ms');
});

test('an answer whose body does not end in time', async () => {
  const { client } = await serve((_, response) => response.writeHead(200).write('{'), 50);
  expect(await failureOf(client.list())).toMatchObject({ code: 'timeout' });
});

test('an unknown session in a call that asks for none is an error', async () => {
  const { client } = await serve(json(404, { error: 'bad_session_id', message: 'no' }));
  expect(await failureOf(client.list())).toMatchObject({ code: 'bad_session_id', status: 404 });
});

test('an error text in place of an ID is no ID', async () => {
  const { client } = await serve(plain(200, 'Sorry, no session'));
  expect(await failureOf(client.createPlain())).toMatchObject({ code: 'unexpected_answer' });
});

test('an answer that repeats the key does not get it into a message', async () => {
  const { client } = await serve(json(400, { error: 'bad_request', message: `not ${KEY}!` }));
  expect((await failureOf(client.create())).message).toContain('not ***!');
});

function closeConnection(request: IncomingMessage): void {
  request.socket.destroy();
}

async function failureOf(promise: Promise<unknown>): Promise<SessionsClientError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SessionsClientError) return error;
  throw new Error('No SessionsClientError', { cause: error });
}
