import { describe, expect, test } from 'vitest';
import { VERSION } from '../../src/protocol/version.js';
import { startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, sendGet, sendRaw } from '../support/raw-client.js';

const auth = proxyAuth();

describe('what is no good request gets an error in our words, and the next one is served', () => {
  for (const [name, bytes, status, code] of [
    ['garbage', 'hello world\r\n\r\n', 400, 'bad_request'],
    ['a TLS greeting', Buffer.from('160301020001000150', 'hex'), 400, 'bad_request'],
    ['a head without end', 'GET http://x/ HTTP/1.1\r\nHo st: x\r\n\r\n', 400, 'bad_request'],
    [
      'two lengths',
      `POST http://x/ HTTP/1.1\r\n${auth}Content-Length: 1\r\nContent-Length: 2\r\n\r\na`,
      400,
      'bad_request',
    ],
    [
      'a length and chunks',
      `POST http://x/ HTTP/1.1\r\n${auth}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'bad_request',
    ],
    ['an ftp target', `GET ftp://x/ HTTP/1.1\r\n${auth}\r\n`, 401, 'bad_uri'],
    ['a target without host', `GET http:/// HTTP/1.1\r\n${auth}\r\n`, 401, 'bad_uri'],
    ['a target with a bad port', `GET http://x:99999/ HTTP/1.1\r\n${auth}\r\n`, 401, 'bad_uri'],
    ['an asterisk', `OPTIONS * HTTP/1.1\r\n${auth}\r\n`, 401, 'bad_uri'],
    ['a repeated parameter', `GET http://x/ HTTP/1.1\r\n${proxyAuth('session-a,session-b')}\r\n`, 540, 'bad_header'],
    ['an empty parameter', `GET http://x/ HTTP/1.1\r\n${proxyAuth('session-')}\r\n`, 540, 'bad_header'],
    ['a broken escape', `GET http://x/ HTTP/1.1\r\n${proxyAuth('session-%zz')}\r\n`, 540, 'bad_header'],
  ] satisfies [string, string | Buffer, number, string][]) {
    test(`${name}: ${status} ${code}`, async () => {
      const [{ port }, target] = [await startGateway(), await startTarget()];
      const answer = await sendRaw(port, bytes);
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([status, code]);
      expect(answer.header('X-Crawlera-Version')).toBe(VERSION);
      expect(answer.body).toMatch(/^[^\n]+\n$/);
      expect((await sendGet(port, target.url)).status).toBe(200);
    });
  }

  test('no key or password ever stands in an answer or event', async () => {
    const { port, events } = await startGateway();
    const answers = [
      await sendRaw(port, `GET http://user:secret-word@127.0.0.1:99999/ HTTP/1.1\r\n${proxyAuth()}\r\n`),
      await sendRaw(port, `GET http://x/ HTTP/1.1\r\n${proxyAuth('', 'secret-word')}\r\n`),
      await sendRaw(port, `CONNECT secret-word@x:1 HTTP/1.1\r\n${proxyAuth()}\r\n`),
    ];
    expect(JSON.stringify([answers, events])).not.toMatch(/secret-word|test-key/);
  });

  test('clients that come and go in the middle of a head or body leave nothing behind', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    for (const bytes of [
      'GET ',
      `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${auth}Content-Length: 9\r\n\r\nabc`,
      `CONNECT ${target.url.slice(7)} HTTP/1.1\r\n`,
    ]) {
      for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
        const socket = openRaw(port, bytes);
        await new Promise((resolve) => socket.once('connect', resolve));
        socket[leave]();
        await new Promise((resolve) =>
          socket.destroyed ? resolve(undefined) : socket.resume().once('close', resolve).once('end', resolve),
        );
      }
    }
    expect((await sendGet(port, target.url)).status).toBe(200);
  });
});
