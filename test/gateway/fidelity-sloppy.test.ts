// Messages that are not quite HTTP: what can be understood in one way only passes, everything else is told, and nothing
// of one exchange is ever taken for part of another.

import { describe, expect, test } from 'vitest';
import {
  answerHeads,
  answerOnce,
  bodyOf,
  headOf,
  OK,
  outcomeOf,
  send,
  startScene,
  STRAIGHT,
  until,
} from './fidelity-ways.js';

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const CHUNKS = '2\r\nok\r\n0\r\n\r\n';
const END = '\r\n\r\n';

/** Answers that curl takes, too. */
const TAKEN: readonly (readonly [name: string, answer: string])[] = [
  ['bare line feeds', 'HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok'],
  ['no reason', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok'],
  ['a folded line', 'HTTP/1.1 200 OK\r\nA: x\r\n y\r\nContent-Length: 2\r\n\r\nok'],
  ['empty lines before it', '\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['a length and chunks', `HTTP/1.1 200 OK\r\nContent-Length: 9\r\n${CHUNKED}\r\n${CHUNKS}`],
  ['chunks and a length', `HTTP/1.1 200 OK\r\n${CHUNKED}Content-Length: 1\r\n\r\n${CHUNKS}`],
  ['chunks in HTTP/1.0', `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n${CHUNKS}`],
  ['chunks, said twice', `HTTP/1.1 200 OK\r\n${CHUNKED}${CHUNKED}\r\n${CHUNKS}`],
  ['spaces behind sizes', `HTTP/1.1 200 OK\r\n${CHUNKED}\r\n2 \r\nok\r\n0 \r\n\r\n`],
  ['zeros before sizes', `HTTP/1.1 200 OK\r\n${CHUNKED}\r\n0002\r\nok\r\n000\r\n\r\n`],
  ['a space behind the name of the length', 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok'],
  ['a space behind the name of the coding', `HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n${CHUNKS}`],
  ['the coding identity', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nConnection: close\r\n\r\nok'],
  ['a status nobody knows', 'HTTP/1.1 999 What\r\nContent-Length: 2\r\n\r\nok'],
  ['a body after 204', 'HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nok'],
];

/** Answers that can't be passed on, and a word of the reason. */
const REFUSED: readonly (readonly [name: string, answer: string, reason: string])[] = [
  ['a control character in a value', `HTTP/1.1 200 OK\r\nA: x\u0001\r\n${OK.slice(17)}`, 'characters'],
  ['a NUL in a value', `HTTP/1.1 200 OK\r\nA: x\u0000y\r\n${OK.slice(17)}`, 'characters'],
  ['a control character in the reason', `HTTP/1.1 200 O\u0001K\r\n${OK.slice(17)}`, 'characters'],
  ['a bare carriage return', `HTTP/1.1 200 OK\r\nA: x\rSet-Cookie: y\r\n${OK.slice(17)}`, 'LF'],
  ['a space in a name', `HTTP/1.1 200 OK\r\nA B: x\r\n${OK.slice(17)}`, 'token'],
  ['a line without colon', `HTTP/1.1 200 OK\r\nA\r\n${OK.slice(17)}`, 'token'],
  ['two lengths', `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${OK.slice(17)}`, 'Content-Length'],
  ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok', 'Content-Length'],
  ['a length past all numbers', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok', 'overflow'],
  ['a coding of this hop', `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${CHUNKS}`, 'gzip'],
  [
    'a coding that only looks like chunks',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: \u000bchunked\r\n\r\n${CHUNKS}`,
    'coded',
  ],
  ['a chunk that is none', `HTTP/1.1 200 OK\r\n${CHUNKED}\r\nzz\r\nok\r\n`, 'chunk size'],
  ['a chunk past all numbers', `HTTP/1.1 200 OK\r\n${CHUNKED}\r\n${'f'.repeat(20)}\r\n`, 'overflow'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'HTTP'],
  ['a switch nobody asked for', 'HTTP/1.1 101 Now\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', 'switches'],
];

/** What might be taken for a second answer, behind a first that is told as `first`. */
const POISONS: readonly (readonly [name: string, method: string, poison: string])[] = [
  ['a second answer', 'GET', OK],
  ['a body behind 204', 'GET', 'HTTP/1.1 204 No\r\n\r\n'],
  ['a body behind 304', 'GET', 'HTTP/1.1 304 No\r\nContent-Length: 60\r\n\r\n'],
  ['a body behind the answer to HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n'],
  ['chunks that end before the length', 'GET', `HTTP/1.1 200 OK\r\nContent-Length: 90\r\n${CHUNKED}\r\n${CHUNKS}`],
  ['an answer in a folded length', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok'],
  ['a length with a space behind its name', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok'],
];

for (const way of STRAIGHT) {
  describe(way.name, () => {
    test.each(TAKEN)('an answer with %s passes', async (_, answer) => {
      const scene = await startScene(way, answerOnce(answer, { end: answer.includes('close') }));
      const isEmpty = answer.includes(' 204 ');
      const got = await scene.ask({}, isEmpty ? END : 'ok');
      expect(got).toMatch(/^HTTP\/1.1 (?:200|204|999) /);
      expect(headOf(got).match(/^(?:content-length|transfer-encoding):/gim)).toHaveLength(1);
      expect(bodyOf(got).replaceAll(/[^ok]/g, '')).toBe(isEmpty ? '' : 'ok');
    });

    test.each(REFUSED)('an answer with %s is 502 with a reason, and its client goes on', async (_, answer, reason) => {
      let isBad = true;
      const scene = await startScene(way, (connection) => answerOnce(isBad ? answer : OK)(connection));
      const client = await scene.open();
      send(client, scene.request());
      await until(() => bodyOf(client.text).endsWith('\n'));
      expect(outcomeOf(client.text)).toEqual([502, 'send_failed', expect.stringContaining(reason)]);
      isBad = false;
      send(client, scene.request());
      await client.received('\r\n\r\nok');
    });

    test('an interim answer with control characters is left out', async () => {
      const scene = await startScene(
        way,
        answerOnce(`HTTP/1.1 103 Hi\r\nLink: \u0001\r\n\r\nHTTP/1.1 103 Ho\u0001\r\n\r\n${OK}`),
      );
      expect(await scene.ask({}, '\r\n\r\nok')).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    });

    test('a trailer with control characters is left out', async () => {
      const scene = await startScene(
        way,
        answerOnce(`HTTP/1.1 200 OK\r\n${CHUNKED}\r\n2\r\nok\r\n0\r\nA: \u0001\r\n\r\n`),
      );
      expect(bodyOf(await scene.ask({}, '0\r\n\r\n'))).toBe(CHUNKS);
    });

    test.each(POISONS)('%s is never told to the next client', async (_, method, poison) => {
      const forged = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nFORGED';
      const { heads, serve } = answerHeads((head) => (head.includes(' /next ') ? OK : poison + forged));
      const scene = await startScene(way, serve);
      const client = await scene.open();
      send(client, scene.request({ method, path: '/first' }));
      await client.received(END);
      send(client, scene.request({ path: '/next' }));
      const other = await scene.ask({ path: '/next' }, '\r\n\r\nok');
      await until(() => heads.length === 3);
      await client.received('\r\n\r\nok');
      expect(client.text + other).not.toContain('FORGED');
    });

    test('an answer that nobody has asked for is thrown away with its connection', async () => {
      const { heads, serve } = answerHeads(() => OK);
      const scene = await startScene(way, serve);
      await scene.ask({}, '\r\n\r\nok');
      const kept = scene.target.connections[0];
      if (kept !== undefined) send(kept, OK.replace('ok', 'NO'));
      await kept?.end();
      expect(await scene.ask({}, '\r\n\r\nok')).not.toContain('NO');
      expect(heads).toHaveLength(2);
    });
  });
}
