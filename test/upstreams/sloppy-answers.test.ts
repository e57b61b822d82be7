// Answers that break the rules: those that curl takes and Node can parse pass, whatever is refused is refused with a
// reason, and no connection is used again whose answer could be read in two ways.

import { execFile } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

import { toGatewayError } from '../../src/upstreams/dial-errors.js';
import { needsProgram } from '../support/needs.js';
import { createRawTarget } from '../support/target-raw.js';
import { closeLater, failureOf, openUpstream, send } from './open-upstream.js';

const HEAD = 'HTTP/1.1 200 OK\r\n';
const BODY = 'Content-Length: 2\r\n\r\nok';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const CONTROLS = '\u0001\u0008\u000b\u000c\u001b\u007f';

/** Answers with the same bytes to every request, and closes the connection or leaves it open. */
async function open(answer: string, end: 'closes' | 'stays open' = 'stays open') {
  const target = await createRawTarget(({ socket }) => {
    socket.on('data', () => {
      socket.write(answer, 'latin1');
      if (end === 'closes') socket.end();
    });
  });
  return closeLater(target);
}

/** Answers that curl takes, too. */
const TAKEN = [
  ['line ends without CR', 'HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok', ['A', 'b']],
  ['line ends of both kinds', `HTTP/1.1 200 OK\nA: b\r\n${BODY}`, ['A', 'b']],
  ['no reason phrase', `HTTP/1.1 200 \r\n${BODY}`, []],
  ['no reason phrase and no space before it', `HTTP/1.1 200\r\n${BODY}`, []],
  ['a reason phrase beyond ASCII', `HTTP/1.1 200 \u00e9t\u00e9\r\n${BODY}`, []],
  ['control characters in the reason phrase', `HTTP/1.1 200 a${CONTROLS}b\r\n${BODY}`, []],
  ['a folded field, joined by a space', `${HEAD}A: one\r\n two\r\n${BODY}`, ['A', 'one two']],
  ['bytes from 0x80 to 0xff in a value', `${HEAD}A: \u0080\u00e9\u00ff\r\n${BODY}`, ['A', '\u0080\u00e9\u00ff']],
  ['control characters in a value', `${HEAD}A: a${CONTROLS}b\r\n${BODY}`, ['A', `a${CONTROLS}b`]],
  ['no space behind the colon', `${HEAD}A:b\r\n${BODY}`, ['A', 'b']],
  ['an empty value', `${HEAD}A:\r\n${BODY}`, ['A', '']],
  ['status 600', `HTTP/1.1 600 X\r\n${BODY}`, []],
  ['status 999', `HTTP/1.1 999 X\r\n${BODY}`, []],
  ['version 2.0', `HTTP/2.0 200 OK\r\n${BODY}`, []],
  [
    'an extension behind a chunk size',
    `${HEAD}${CHUNKED}\r\n2;a="b c"\r\nok\r\n0;x\r\n\r\n`,
    ['Transfer-Encoding', 'chunked'],
  ],
  ['spaces behind a chunk size', `${HEAD}${CHUNKED}\r\n2   \r\nok\r\n0\r\n\r\n`, ['Transfer-Encoding', 'chunked']],
  ['zeros before a chunk size', `${HEAD}${CHUNKED}\r\n00002\r\nok\r\n000\r\n\r\n`, ['Transfer-Encoding', 'chunked']],
  ['a chunk size that ends without CR', `${HEAD}${CHUNKED}\r\n2\nok\r\n0\r\n\r\n`, ['Transfer-Encoding', 'chunked']],
  [
    'a coding in capitals',
    `${HEAD}Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    ['Transfer-Encoding', 'Chunked'],
  ],
  ['a head of nearly 100 KiB', `${HEAD}A: ${'a'.repeat(102_300)}\r\n${BODY}`, ['A', 'a'.repeat(102_300)]],
] as const;

/** The same, of answers that end with their connection. */
const TAKEN_TO_THE_END = [
  ['more than Content-Length says', `${HEAD}Connection: close\r\n${BODY}, and more`],
  ['more than Content-Length says, and no word of closing', `${HEAD}${BODY}, and more`],
  ['version 1.0 and no length', 'HTTP/1.0 200 OK\r\n\r\nok'],
  ['version 1.0 and chunks', `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n2\r\nok\r\n0\r\n\r\n`],
  ['no length', `${HEAD}\r\nok`],
  ['no length, and the promise to stay', `${HEAD}Connection: keep-alive\r\n\r\nok`],
  ['the coding identity', `${HEAD}Transfer-Encoding: identity\r\n\r\nok`],
  ['the coding identity and a length', `${HEAD}Transfer-Encoding: identity\r\n${BODY}`],
  ['an empty coding', `${HEAD}Transfer-Encoding:\r\n\r\nok`],
] as const;

/** Answers Node's parser doesn't take, though curl does: limits that are known. */
const REFUSED_THOUGH_TAKEN = [
  ['a lower-case protocol', `http/1.1 200 OK\r\n${BODY}`, 'Expected HTTP/'],
  ['a version of one digit', `HTTP/2 200\r\n${BODY}`, 'Expected dot'],
  ['two spaces before the status', `HTTP/1.1  200 OK\r\n${BODY}`, 'Invalid status code'],
  ['a tab behind the status', `HTTP/1.1 200\tOK\r\n${BODY}`, 'Invalid response status'],
  ['a space before a colon', `${HEAD}A : b\r\n${BODY}`, 'Invalid header token'],
  ['a name that is no token', `${HEAD}A(b): c\r\n${BODY}`, 'Invalid header token'],
  ['a name beyond ASCII', `${HEAD}A\u00e9: b\r\n${BODY}`, 'Invalid header token'],
  ['an empty name', `${HEAD}: b\r\n${BODY}`, 'Invalid header token'],
  ['CR alone in a value', `${HEAD}A: a\rb\r\n${BODY}`, 'Missing expected LF'],
  ['one length twice', `${HEAD}Content-Length: 2\r\n${BODY}`, 'Duplicate Content-Length'],
  ['one length twice in a field', `${HEAD}Content-Length: 2, 2\r\n\r\nok`, 'Invalid character in Content-Length'],
  ['a length with a sign', `${HEAD}Content-Length: +2\r\n\r\nok`, 'Invalid character in Content-Length'],
] as const;

/** Answers that neither takes, or that could be read in two ways. */
const REFUSED = [
  ['two lengths', `${HEAD}Content-Length: 3\r\n${BODY}`, 'Duplicate Content-Length'],
  ['a negative length', `${HEAD}Content-Length: -1\r\n\r\nok`, 'Invalid character in Content-Length'],
  ['an empty length', `${HEAD}Content-Length:\r\n\r\nok`, 'Empty Content-Length'],
  ['a length beyond all bounds', `${HEAD}Content-Length: ${'9'.repeat(30)}\r\n\r\nok`, 'Content-Length overflow'],
  ['a line without colon', `${HEAD}nonsense\r\n${BODY}`, 'Invalid header token'],
  ['a head of more than 100 KiB', `${HEAD}A: ${'a'.repeat(102_400)}\r\n${BODY}`, 'the head of the answer is too large'],
  ['the protocol of a radio', `ICY 200 OK\r\n${BODY}`, 'Expected HTTP/'],
  ['no head', 'just text', 'Expected HTTP/'],
  ['status 099', `HTTP/1.1 099 X\r\n${BODY}`, 'the answer has the status 99'],
  ['status 2000', `HTTP/1.1 2000 X\r\n${BODY}`, 'Invalid response status'],
  ['the coding gzip', `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n`, 'the answer is coded as gzip, chunked'],
  [
    'chunks that are not the last coding',
    `${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n`,
    'coded as chunked, identity',
  ],
  ['a coding that only looks like chunks', `${HEAD}Transfer-Encoding: \u000bchunked\r\n\r\n`, 'the answer is coded as'],
] as const;

/** Answers whose head is good and whose body is not. */
const BROKEN = [
  ['less than Content-Length says', `${HEAD}Content-Length: 9\r\n\r\nok`, 'the connection was closed'],
  ['half a chunk', `${HEAD}${CHUNKED}\r\n5\r\nok`, 'the connection was closed'],
  ['no last chunk', `${HEAD}${CHUNKED}\r\n2\r\nok\r\n`, 'the connection was closed'],
  ['no line end behind the last chunk', `${HEAD}${CHUNKED}\r\n2\r\nok\r\n0\r\n`, 'the connection was closed'],
  ['a chunk size that is none', `${HEAD}${CHUNKED}\r\n2\r\nok\r\nzz\r\n`, 'Invalid character in chunk size'],
] as const;

describe('an answer is passed on that has', () => {
  for (const [name, bytes, fields] of TAKEN) {
    test(name, async () => {
      const answer = await send(openUpstream('direct://'), await open(bytes));
      expect(answer.rawHeaders.slice(0, fields.length)).toEqual(fields);
      expect(await text(answer)).toBe('ok');
    });
  }

  for (const [name, bytes] of TAKEN_TO_THE_END) {
    test(name, async () => {
      const answer = await send(openUpstream('direct://'), await open(bytes, 'closes'));
      expect(await text(answer)).toBe('ok');
    });
  }
});

needsProgram('curl', 'curl', () => {
  const run = promisify(execFile);

  for (const [name, bytes] of [...TAKEN, ...REFUSED_THOUGH_TAKEN, ...TAKEN_TO_THE_END]) {
    test(`curl takes ${name}`, async () => {
      const isToTheEnd = TAKEN_TO_THE_END.some(([one]) => one === name);
      const target = await open(bytes, isToTheEnd ? 'closes' : 'stays open');
      const { stdout } = await run('curl', ['-sS', '-m', '30', `http://127.0.0.1:${target.port}/`]);
      expect(stdout).toBe('ok');
    });
  }
});

describe('an answer is refused with a reason that has', () => {
  for (const [name, bytes, reason] of [...REFUSED_THOUGH_TAKEN, ...REFUSED]) {
    test(name, async () => {
      const error = await failureOf(send(openUpstream('direct://'), await open(bytes)));
      expect(error).toMatchObject({ code: 'send_failed' });
      expect(error.message).toContain(reason);
    });
  }
});

describe('the body of an answer fails that has', () => {
  for (const [name, bytes, reason] of BROKEN) {
    test(name, async () => {
      const answer = await send(openUpstream('direct://'), await open(bytes, 'closes'));
      const error = toGatewayError(await text(answer).catch((thrown: unknown) => thrown), 'Reading');
      expect(error.message).toContain(reason);
    });
  }
});

describe('no connection is used again whose answer has', () => {
  for (const [name, bytes, body, fields] of [
    [
      'a length beside chunks',
      `${HEAD}Content-Length: 1\r\n${CHUNKED}\r\n2\r\nok\r\n0\r\n\r\n`,
      'ok',
      ['Transfer-Encoding', 'chunked'],
    ],
    [
      'chunks beside a length',
      `${HEAD}${CHUNKED}Content-Length: 1\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
      'ok',
      ['Transfer-Encoding', 'chunked'],
    ],
    [
      'a length beside chunks, with spaces behind the names',
      `${HEAD}Content-Length : 1\r\nTransfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
      'ok',
      ['Transfer-Encoding', 'chunked'],
    ],
    [
      'a space behind the name of the length',
      `${HEAD}A: b\r\nContent-Length : 2\r\n\r\nok`,
      'ok',
      ['A', 'b', 'Content-Length', '2'],
    ],
    [
      'chunks, and version 1.0',
      `HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n${CHUNKED}\r\n2\r\nok\r\n0\r\n\r\n`,
      'ok',
      ['Connection', 'keep-alive', 'Transfer-Encoding', 'chunked'],
    ],
    ['more than its length', `${HEAD}${BODY}!`, 'ok', ['Content-Length', '2']],
    ['another answer behind it', `${HEAD}${BODY}${HEAD}Content-Length: 4\r\n\r\nevil`, 'ok', ['Content-Length', '2']],
    ['a body that its status has not', `HTTP/1.1 204 No\r\n${BODY}`, '', ['Content-Length', '2']],
  ] as const) {
    test(name, async () => {
      const target = await open(bytes);
      const upstream = openUpstream('direct://');
      for (const _ of [1, 2]) {
        const answer = await send(upstream, target);
        expect(answer.rawHeaders).toEqual(fields);
        expect(answer.headers['content-length']).toBe(fields.join().includes('Content-Length') ? '2' : undefined);
        expect(await text(answer)).toBe(body);
      }
      expect(target.connections).toHaveLength(2);
    });
  }

  for (const [name, bytes] of [
    ['another answer', `${HEAD}Content-Length: 4\r\n\r\nevil`],
    ['a line end', '\r\n'],
  ] as const) {
    test(`${name} behind it, late`, async () => {
      const target = await open(`${HEAD}${BODY}`);
      const upstream = openUpstream('direct://');
      expect(await text(await send(upstream, target))).toBe('ok');
      const [connection] = target.connections;
      connection?.socket.write(bytes);
      await connection?.end();
      expect(await text(await send(upstream, target))).toBe('ok');
      expect(target.connections).toHaveLength(2);
    });
  }
});
