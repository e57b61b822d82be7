// Requests that could be read in two ways never reach a target, and the answers of a connection stay apart.

import { describe, expect, test } from 'vitest';
import { proxyAuth } from '../support/raw-client.js';
import {
  answerHeads,
  answerOnce,
  fieldOf,
  headOf,
  OK,
  outcomeOf,
  type Scene,
  send,
  startScene,
  STRAIGHT,
} from './fidelity-ways.js';

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const END = '\r\n\r\n';

for (const way of STRAIGHT) {
  describe(way.name, () => {
    describe('a request that could be read in two ways never reaches its target', () => {
      const post = (scene: Scene, rest: string): string => scene.request({ method: 'POST' }).slice(0, -2) + rest;
      for (const [name, rest] of [
        ['a length and chunks', `Content-Length: 5\r\n${CHUNKED}\r\n0\r\n\r\n`],
        ['chunks and a length', `${CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n`],
        ['two lengths', 'Content-Length: 1\r\nContent-Length: 1\r\n\r\na'],
        ['a list of lengths', 'Content-Length: 1, 1\r\n\r\na'],
        ['a length with a sign', 'Content-Length: +1\r\n\r\na'],
        ['a length in another base', 'Content-Length: 0x1\r\n\r\na'],
        ['a space before the colon', 'Content-Length : 1\r\n\r\na'],
        ['a folded coding', 'Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n'],
        ['chunks, said twice', `${CHUNKED}${CHUNKED}\r\n0\r\n\r\n`],
        ['a coding that only looks like chunks', 'Transfer-Encoding: \u000bchunked\r\n\r\n0\r\n\r\n'],
        ['a bare line feed', 'A: b\nC: d\r\n\r\n'],
        ['a bare carriage return', 'A: b\rC: d\r\n\r\n'],
        ['a NUL', 'A: \u0000\r\n\r\n'],
        ['a control character', 'A: \u0001\r\n\r\n'],
        ['a folded line', 'A: b\r\n c\r\n\r\n'],
        ['a name with a space', 'A B: c\r\n\r\n'],
        ['a line without colon', 'A\r\n\r\n'],
        ['a coding besides chunks', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
      ] as const) {
        test(`${name}: 400`, async () => {
          const scene = await startScene(way, answerOnce(OK));
          const client = await scene.open();
          send(client, post(scene, rest));
          await client.received(END);
          expect(outcomeOf(client.text).slice(0, 2)).toEqual([400, 'bad_request']);
          expect(scene.target.connections.map(({ text }) => text)).toEqual([]);
        });
      }

      // The parser says so only when it has handed the request over, and then the connection is closed.
      for (const [name, rest] of [
        ['a coding that is none', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
        ['a coding with a character that trims', 'Transfer-Encoding: \u00a0chunked\r\n\r\n0\r\n\r\n'],
        ['a length among the trailers', `${CHUNKED}\r\n1\r\na\r\n0\r\nContent-Length: 4\r\n\r\n`],
        ['a chunk that is none', `${CHUNKED}\r\nzz\r\n`],
      ] as const) {
        test(`${name}: the connection ends`, async () => {
          const scene = await startScene(way, answerOnce(OK));
          const client = await scene.open();
          send(client, post(scene, rest));
          await client.end();
          expect(outcomeOf(client.text)[0]).not.toBe(200);
          expect(scene.target.connections.map(({ text }) => text).join('')).not.toContain(END);
        });
      }
    });

    test('answers of a pipelined connection stay in order and whole, errors among them', async () => {
      const { serve } = answerHeads((head) => {
        const path = head.split(' ')[1] ?? '';
        return path.endsWith('/bad') ? 'nonsense' : `HTTP/1.1 200 OK\r\nX-Path: ${path}\r\nContent-Length: 0\r\n\r\n`;
      });
      const scene = await startScene(way, serve);
      const client = await scene.open();
      send(
        client,
        [
          { path: '/1' },
          { path: '/2', fields: 'X-Crawlera-Max-Retries: x\r\n' },
          { path: '/bad' },
          { path: '/4' },
          { path: '/5', fields: 'X-Crawlera-Session: 7\r\n' },
          { path: '/6', fields: 'Connection: close\r\n' },
        ]
          .map((asked) => scene.request(asked))
          .join(''),
      );
      await client.end();
      const answers = client.text
        .split(/(?=HTTP\/1\.1 )/)
        .map((answer) => [Number(answer.slice(9, 12)), fieldOf(answer, 'X-Path')]);
      expect(answers).toEqual([
        [200, '/1'],
        [540, undefined],
        [502, undefined],
        [200, '/4'],
        [400, undefined],
        [200, '/6'],
      ]);
    });
  });
}

describe('the target of a request line', () => {
  const ask = async (line: (authority: string) => string): Promise<readonly [seen: string, answer: string]> => {
    const [way] = STRAIGHT;
    const scene = await startScene(way as (typeof STRAIGHT)[number], answerOnce(OK));
    const client = await scene.open();
    send(client, `GET ${line(scene.authority)} HTTP/1.1\r\nHost: elsewhere.example\r\n${proxyAuth()}\r\n`);
    await client.received(END);
    return [headOf(scene.target.connections[0]?.text ?? '').replaceAll(scene.authority, 'TARGET'), client.text];
  };

  for (const [name, line, path] of [
    ['credentials are dropped', (authority: string) => `http://user:secret@${authority}/x`, '/x'],
    ['a host in the path is a path', (authority: string) => `http://${authority}//evil.example/x`, '//evil.example/x'],
    ['a fragment is dropped', (authority: string) => `http://${authority}/x?a#b?c`, '/x?a'],
    ['a query alone gets a path', (authority: string) => `http://${authority}?q=/x`, '/?q=/x'],
    ['an empty path is one', (authority: string) => `http://${authority}`, '/'],
    ['the scheme may be in capitals', (authority: string) => `HTTP://${authority}/x`, '/x'],
  ] as const) {
    test(name, async () => {
      const [seen] = await ask(line);
      expect(seen).toBe(`GET ${path} HTTP/1.1\r\nHost: TARGET\r\nConnection: keep-alive`);
    });
  }

  for (const [line, status, code] of [
    ['*', 401, 'bad_uri'],
    ['ftp://x/', 401, 'bad_uri'],
    ['http://', 401, 'bad_uri'],
    ['http:///x', 401, 'bad_uri'],
    ['http://user@/x', 401, 'bad_uri'],
    ['http://a:b@c:d@e:99999/', 401, 'bad_uri'],
    ['http://127.0.0.1:0/', 401, 'bad_uri'],
    ['http://[::1/', 401, 'bad_uri'],
    ['http://127.0.0.1:80@evil\\x', 400, 'bad_request'],
    ['x', 400, 'bad_request'],
  ] as const) {
    test(`${line} is ${status} ${code}`, async () => {
      const [seen, answer] = await ask(() => line);
      expect([seen, ...outcomeOf(answer).slice(0, 2)]).toEqual(['', status, code]);
    });
  }
});
