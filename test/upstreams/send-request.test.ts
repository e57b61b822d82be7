// How requests go over connections: bytes, framing, reuse, the second try, clocks. Run through an upstream that leaves
// from a local address, for nothing here depends on the kind.

import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import type { Information } from '../../src/upstreams/upstream.js';
import { createRawTarget } from '../support/target-raw.js';
import type { RawConnection } from '../support/target-raw.js';
import { closeLater, failureOf, openUpstream, send } from './open-upstream.js';

const KEEP = ['Host', 'h', 'Connection', 'keep-alive'];
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A target that does with each request of a connection what the script says for it; the last entry is for the rest. */
async function scripted(...script: ((connection: RawConnection) => void)[]) {
  let requests = 0;
  const target = await createRawTarget((connection) => {
    connection.socket.on('data', () => script[Math.min(requests++, script.length - 1)]?.(connection));
  });
  return closeLater(target);
}

const answerOk = ({ socket }: RawConnection) => void socket.write(OK);
const reset = ({ socket }: RawConnection) => void socket.resetAndDestroy();
const hangUp = ({ socket }: RawConnection) => void socket.destroy();

describe('the head', () => {
  test('goes out byte for byte, with nothing added', async () => {
    const target = await scripted(answerOk);
    const headers = [
      'accept',
      '*/*',
      'Host',
      'h',
      'X-A',
      '',
      'x-a',
      '\u00e9\u00ff',
      'HOST',
      '2',
      'Connection',
      'Keep-Alive',
    ];
    await text(await send(openUpstream('direct://'), target, { path: '/%7e?a=[1]&b', headers }));
    expect(target.connections[0]?.text).toBe(
      'GET /%7e?a=[1]&b HTTP/1.1\r\naccept: */*\r\nHost: h\r\nX-A: \r\nx-a: \u00e9\u00ff\r\nHOST: 2\r\nConnection: Keep-Alive\r\n\r\n',
    );
  });

  test('gets Connection last where it has none, and never a Host', async () => {
    const target = await scripted(answerOk);
    await text(await send(openUpstream('direct://'), target, { headers: ['A', 'b'] }));
    expect(target.connections[0]?.text).toBe('GET / HTTP/1.1\r\nA: b\r\nConnection: keep-alive\r\n\r\n');
  });

  for (const [name, over] of [
    ['a line break in a value', { headers: ['Host', 'h\r\nX: y'] }],
    ['a space in a name', { headers: ['Ho st', 'h'] }],
    ['a space in the path', { path: '/a b' }],
    ['a method that is no token', { method: 'G ET' }],
  ] as const) {
    test(`with ${name} is bad_request and never sent`, async () => {
      const target = await scripted(answerOk);
      expect(await failureOf(send(openUpstream('direct://'), target, over))).toMatchObject({ code: 'bad_request' });
      expect(target.connections).toHaveLength(0);
    });
  }
});

describe('the body', () => {
  for (const [name, headers, sent] of [
    ['with the length that is stated', [...KEEP, 'Content-Length', '4'], 'Content-Length: 4\r\n\r\nbody'],
    [
      'in chunks where that is stated',
      [...KEEP, 'Transfer-Encoding', 'chunked'],
      'Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
    ],
    ['in chunks where nothing is stated', KEEP, 'Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n'],
    [
      'in chunks where both are stated',
      [...KEEP, 'content-length', '4', 'transfer-encoding', 'chunked'],
      'transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
    ],
  ] as const) {
    for (const method of ['POST', 'GET', 'DELETE']) {
      test(`of ${method} goes out ${name}`, async () => {
        const target = await scripted(answerOk);
        const body = Readable.from([Buffer.from('body')]);
        await send(openUpstream('direct://'), target, { method, headers, body });
        const head = `${method} / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n`;
        expect(await target.connections[0]?.received(sent)).toBe(head + sent);
      });
    }
  }

  test('that is too long ends the request before the byte too many', async () => {
    const target = await scripted(() => {});
    const headers = [...KEEP, 'Content-Length', '4'];
    const body = Readable.from([Buffer.from('body'), Buffer.from('GET /smuggled')]);
    const attempt = send(openUpstream('direct://'), target, { method: 'POST', headers, body });
    expect(await failureOf(attempt)).toMatchObject({ code: 'bad_request' });
    await target.connections[0]?.end();
    expect(target.connections[0]?.text).not.toContain('smuggled');
  });

  test('that is too short ends the request', async () => {
    const target = await scripted(() => {});
    const headers = [...KEEP, 'Content-Length', '9'];
    const body = Readable.from([Buffer.from('body')]);
    const attempt = send(openUpstream('direct://'), target, { method: 'POST', headers, body });
    expect(await failureOf(attempt)).toMatchObject({ code: 'bad_request' });
    await target.connections[0]?.end();
  });

  test('that breaks off is client_conn_closed, and the target learns of it', async () => {
    const target = await scripted(() => body.destroy());
    const body = new PassThrough();
    body.write('half');
    const attempt = send(openUpstream('direct://'), target, { method: 'POST', headers: KEEP, body });
    expect(await failureOf(attempt)).toMatchObject({ code: 'client_conn_closed' });
    await target.connections[0]?.end();
    expect(target.connections[0]?.text).not.toContain('0\r\n\r\n');
  });

  test('survives a request that fails, for its sender is still to be answered', async () => {
    const target = await scripted(reset);
    const body = new PassThrough();
    body.write('half');
    const attempt = send(openUpstream('direct://'), target, { method: 'POST', headers: KEEP, body });
    expect(await failureOf(attempt)).toMatchObject({ code: 'econnreset' });
    expect(body.destroyed).toBe(false);
  });

  test('may go on after an early answer', async () => {
    const target = await scripted(answerOk, () => {});
    const body = new PassThrough();
    body.write('first');
    const answer = await send(openUpstream('direct://'), target, { method: 'POST', headers: KEEP, body });
    expect(await text(answer)).toBe('ok');
    body.end('second');
    await target.connections[0]?.received('second\r\n0\r\n\r\n');
  });

  test('is followed by its trailers, case, order and repetition kept', async () => {
    const target = await scripted(answerOk);
    const body = new PassThrough();
    let hasEnded = false;
    const trailers = () => (hasEnded ? ['x-T', '1', 'X-t', '\u00e9', 'x-T', ''] : []);
    const answer = send(openUpstream('direct://'), target, { method: 'POST', headers: KEEP, body, trailers });
    body.write('body');
    await target.connections[0]?.received('body');
    hasEnded = true;
    body.end();
    await answer;
    const sent = '4\r\nbody\r\n0\r\nx-T: 1\r\nX-t: \u00e9\r\nx-T: \r\n\r\n';
    expect(await target.connections[0]?.received(sent)).toMatch(/\r\n\r\n$/);
  });

  test('of stated length has no room for trailers', async () => {
    const target = await scripted(answerOk);
    const headers = [...KEEP, 'Content-Length', '4'];
    const body = Readable.from([Buffer.from('body')]);
    const trailers = () => ['x-t', '1'];
    await text(await send(openUpstream('direct://'), target, { method: 'POST', headers, body, trailers }));
    expect(target.connections[0]?.text.endsWith('\r\n\r\nbody')).toBe(true);
  });

  test('whose trailers have a line break is bad_request', async () => {
    const target = await scripted(() => {});
    const body = Readable.from([Buffer.from('body')]);
    const trailers = () => ['x-t', '1\r\n\r\nGET /smuggled'];
    const attempt = send(openUpstream('direct://'), target, { method: 'POST', headers: KEEP, body, trailers });
    expect(await failureOf(attempt)).toMatchObject({ code: 'bad_request' });
    await target.connections[0]?.end();
    expect(target.connections[0]?.text).not.toContain('smuggled');
  });

  test('waits for a target that does not read', async () => {
    const target = closeLater(await createRawTarget(({ socket }) => socket.pause()));
    const body = Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(256 * 1024)));
    const headers = [...KEEP, 'Content-Length', String(64 * 256 * 1024)];
    const answer = send(openUpstream('direct://'), target, { method: 'POST', headers, body });
    await once(body, 'pause');
    const [connection] = target.connections;
    let bytes = 0;
    connection?.socket.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes > 64 * 256 * 1024) connection.socket.write(OK);
    });
    connection?.socket.resume();
    expect(await text(await answer)).toBe('ok');
  });
});

describe('connections', () => {
  test('are used again by the next request of the same target', async () => {
    const target = await scripted(answerOk);
    const upstream = openUpstream('direct://');
    for (let round = 0; round < 3; round++) expect(await text(await send(upstream, target))).toBe('ok');
    expect(target.connections).toHaveLength(1);
  });

  test('are not used again after Connection: close', async () => {
    const target = await scripted(answerOk);
    const upstream = openUpstream('direct://');
    for (const _ of [1, 2]) await text(await send(upstream, target, { headers: ['Host', 'h', 'Connection', 'close'] }));
    expect(target.connections).toHaveLength(2);
  });

  test('that their server closed while idle are not used again', async () => {
    const target = await scripted(answerOk);
    const upstream = openUpstream('direct://');
    await text(await send(upstream, target));
    target.connections[0]?.socket.end();
    await target.connections[0]?.end();
    expect(await text(await send(upstream, target))).toBe('ok');
    expect(target.connections[0]?.text.match(/GET/g)).toHaveLength(1);
  });

  test('are closed with the upstream', async () => {
    const target = await scripted(answerOk);
    const upstream = openUpstream('direct://');
    await text(await send(upstream, target));
    await upstream.close();
    await target.connections[0]?.end();
  });
});

describe('a kept connection that turns out to be dead', () => {
  for (const [name, die] of [
    ['reset', reset],
    ['closed', hangUp],
  ] as const) {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      test(`(${name}) makes ${method} go out once more, on a new connection`, async () => {
        const target = await scripted(answerOk, die, answerOk);
        const upstream = openUpstream('direct://');
        await text(await send(upstream, target));
        let sent = 0;
        const answer = await send(upstream, target, { method, onSent: () => (sent += 1) });
        expect(answer.statusCode).toBe(200);
        expect(sent).toBe(1);
        expect(target.connections).toHaveLength(2);
      });
    }
  }

  test('is no reason for a third try', async () => {
    const target = await scripted(answerOk, reset);
    const upstream = openUpstream('direct://');
    await text(await send(upstream, target));
    expect(await failureOf(send(upstream, target))).toMatchObject({ code: 'econnreset' });
    expect(target.connections).toHaveLength(2);
  });

  test('is no reason to try again once the answer has begun', async () => {
    const half = ({ socket }: RawConnection) => void socket.write('HTTP/1.1 200', () => socket.resetAndDestroy());
    const target = await scripted(answerOk, half, answerOk);
    const upstream = openUpstream('direct://');
    await text(await send(upstream, target));
    const error = await failureOf(send(upstream, target));
    expect(['econnreset', 'socket_closed_remotely']).toContain(error.code);
    expect(target.connections).toHaveLength(1);
  });

  test('is not met by a request that must not go out twice: it has a connection of its own', async () => {
    const target = await scripted(answerOk, answerOk, answerOk);
    const upstream = openUpstream('direct://');
    await text(await send(upstream, target));
    await text(await send(upstream, target, { method: 'POST', headers: [...KEEP, 'Content-Length', '0'] }));
    await text(await send(upstream, target, { body: Readable.from(['x']) }));
    expect(target.connections).toHaveLength(3);
  });

  test('is told from a new one that dies', async () => {
    const target = await scripted(reset, answerOk);
    expect(await failureOf(send(openUpstream('direct://'), target))).toMatchObject({ code: 'econnreset' });
    expect(target.connections).toHaveLength(1);
  });
});

describe('the answer', () => {
  for (const [name, bytes, code] of [
    ['that is no HTTP', 'SSH-2.0-OpenSSH\r\n', 'send_failed'],
    ['with two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'send_failed'],
    ['with a head of more than 100 KiB', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(102_400)}\r\n\r\n`, 'send_failed'],
    [
      'that switches protocols',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      'send_failed',
    ],
  ] as const) {
    test(`${name} is ${code}`, async () => {
      const target = await scripted(({ socket }) => void socket.write(bytes));
      const error = await failureOf(send(openUpstream('direct://'), target));
      expect(error).toMatchObject({ code });
      expect(error.message).toContain(`The request to 127.0.0.1:${target.port} from direct failed: `);
    });
  }

  test('that ends before its head is socket_closed_remotely', async () => {
    const target = await scripted(hangUp);
    expect(await failureOf(send(openUpstream('direct://'), target))).toMatchObject({ code: 'socket_closed_remotely' });
  });

  test('keeps all of its many headers', async () => {
    const lines = Array.from({ length: 3_000 }, (_, index) => `A${index}: b\r\n`).join('');
    const target = await scripted(
      ({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\n${lines}Content-Length: 0\r\n\r\n`),
    );
    const answer = await send(openUpstream('direct://'), target);
    expect(answer.rawHeaders).toHaveLength(6_002);
  });

  test('comes after interim answers', async () => {
    const target = await scripted(({ socket }) => void socket.write(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`));
    expect((await send(openUpstream('direct://'), target)).statusCode).toBe(200);
  });

  test('comes after interim answers that are told as they come, 100 not among them', async () => {
    const target = await scripted(({ socket }) => {
      socket.write(
        'HTTP/1.1 103 Early Hints\r\nLINK: a\r\nlink: b\r\nX: 1\r\n\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\n',
      );
      socket.write(`HTTP/1.1 102 \r\n\r\nHTTP/1.1 199 Odd\r\na: \u00e9\r\n\r\n${OK}`, 'latin1');
    });
    const told: Information[] = [];
    const onInformation = (information: Information) => told.push(information);
    expect(await text(await send(openUpstream('direct://'), target, { onInformation }))).toBe('ok');
    expect(told).toEqual([
      { status: 103, reason: 'Early Hints', headers: ['LINK', 'a', 'link', 'b', 'X', '1'] },
      { status: 102, reason: '', headers: [] },
      { status: 199, reason: 'Odd', headers: ['a', '\u00e9'] },
    ]);
  });

  test('keeps its trailers as they came', async () => {
    const target = await scripted(
      ({ socket }) =>
        void socket.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-t: 1\r\nx-T: 2\r\n\r\n',
        ),
    );
    const answer = await send(openUpstream('direct://'), target);
    expect(await text(answer)).toBe('ok');
    expect(answer.rawTrailers).toEqual(['X-t', '1', 'x-T', '2']);
  });

  test('is late by the time of its request where that has one', async () => {
    const target = await scripted(() => {});
    const hasty = openUpstream('direct://', { responseTimeoutMs: 60_000 });
    const error = await failureOf(send(hasty, target, { responseTimeoutMs: 20 }));
    expect(error).toMatchObject({ code: 'timeout' });
    expect(error.message).toContain('no answer within 20 ms');
    const half = await scripted(({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'));
    const answer = await send(hasty, half, { responseTimeoutMs: 500 });
    await expect(text(answer)).rejects.toMatchObject({ code: 'timeout' });
  });

  test('that breaks off fails its stream', async () => {
    const target = await scripted(({ socket }) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'));
    const answer = await send(openUpstream('direct://'), target);
    await expect(text(answer)).rejects.toThrow('aborted');
  });

  test('whose body stalls fails with timeout', async () => {
    const target = await scripted(
      ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    );
    const answer = await send(openUpstream('direct://', { responseTimeoutMs: 20 }), target);
    await expect(text(answer)).rejects.toMatchObject({ code: 'timeout' });
    await target.connections[0]?.end();
  });

  test('is not late because its reader is slow', async () => {
    const whole = Buffer.alloc(4 * 1024 * 1024, 'x');
    const target = await scripted(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${whole.length}\r\n\r\n`);
      socket.write(whole);
    });
    // Longer than a busy machine stands still.
    const upstream = openUpstream('direct://', { responseTimeoutMs: 200 });
    const answer = await send(upstream, target);
    const silent = await scripted(() => {});
    // Nobody reads while three other answers, one after the other, are late.
    for (const _ of [1, 2, 3]) expect(await failureOf(send(upstream, silent))).toMatchObject({ code: 'timeout' });
    expect((await buffer(answer)).length).toBe(whole.length);
  });
});
