import { expect, test } from 'vitest';
import { OTHER_KEY, startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer } from '../support/raw-client.js';

test('credentials are those of each request, whatever its connection was let in with before', async () => {
  const [{ port, events }, target] = [await startGateway(), await startTarget()];
  const steps = [
    ['the first key', proxyAuth(), 200],
    ['the same again', proxyAuth(), 200],
    ['no key of the gateway', proxyAuth('', 'no-key-of-ours'), 407],
    ['nothing', '', 407],
    ['another key', proxyAuth('', OTHER_KEY), 200],
    ['the other one again', proxyAuth('', OTHER_KEY), 200],
    ['the first key, at last', proxyAuth(), 200],
  ] as const;
  const socket = openRaw(port, '');
  for (const [what, credentials, status] of steps) {
    const answer = readAnswer(socket);
    socket.write(`GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${credentials}\r\n`);
    expect([what, (await answer).status]).toEqual([what, status]);
  }
  const owners = events.flatMap((event) => (event.type === 'use.settled' ? event.owner : []));
  const [first, , other] = owners;
  expect(owners).toEqual([first, first, other, other, first]);
  expect(other).not.toBe(first);
});

test('what the password asks for is read anew where it changes on a connection', async () => {
  const [{ port }, target] = [await startGateway(), await startTarget()];
  const socket = openRaw(port, '');
  const sessionWith = async (password: string): Promise<string | undefined> => {
    const answer = readAnswer(socket);
    socket.write(`GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth(password)}\r\n`);
    return (await answer).header('X-Crawlera-Session');
  };
  const [one, two, again] = [
    await sessionWith('session-one'),
    await sessionWith('session-two'),
    await sessionWith('session-one'),
  ];
  expect(one).toMatch(/^\d+$/);
  expect([two === one, again]).toEqual([false, one]);
});
