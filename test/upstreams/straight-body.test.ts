// Long bodies that go from connection to connection: byte for byte, to their end and not past it, and within their time.

import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';

import { passStraight } from '../../src/upstreams/straight-body.js';
import { createRawTarget, type RawConnection } from '../support/target-raw.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';
import { closeLater, failureOf, openUpstream, send } from './open-upstream.js';

const BODY = randomBytes(3 * 1024 * 1024);
/** The same as one chunk, and the last one. */
const IN_CHUNKS = Buffer.concat([Buffer.from(`${BODY.length.toString(16)}\r\n`), BODY, Buffer.from('\r\n0\r\n\r\n')]);

/** A target that answers each request with this head and body; `behind` comes after it. */
async function targetOf(head: string, body: Buffer, behind?: (connection: RawConnection) => unknown) {
  const target = await createRawTarget((connection) => {
    connection.socket.on('data', () => {
      connection.socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
      connection.socket.write(body);
      behind?.(connection);
    });
  });
  return closeLater(target);
}

const stated = (length: number) => `Content-Length: ${length}`;

/** A connection to write to, and its other end. */
async function createPipe(): Promise<{ readonly to: Socket; readonly from: Socket }> {
  const server = net.createServer();
  const port = await listenOnFreePort(server);
  const to = net.connect(port, '127.0.0.1');
  const [[from]] = (await Promise.all([once(server, 'connection'), once(to, 'connect')])) as [[Socket], unknown];
  from.pause();
  onTestFinished(async () => {
    to.destroy();
    from.destroy();
    await closeServer(server);
  });
  return { to, from };
}

/** Passes an answer on as the gateway does. @returns how many of its bytes were handed over, when it has ended */
async function pass(answer: IncomingMessage, to: Socket): Promise<number> {
  let bytes = 0;
  answer.on('data', (piece: Buffer) => {
    bytes += piece.length;
    to.write(piece);
    if (!answer.complete) passStraight(answer, to, bytes);
  });
  await once(answer, 'end');
  to.end();
  return bytes;
}

async function readAll(from: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  from.on('data', (piece) => pieces.push(piece)).resume();
  await once(from, 'end');
  return Buffer.concat(pieces);
}

async function passed(answer: IncomingMessage): Promise<{ readonly bytes: number; readonly body: Buffer }> {
  const { to, from } = await createPipe();
  const [bytes, body] = await Promise.all([pass(answer, to), readAll(from)]);
  return { bytes, body };
}

describe('a long body', () => {
  test('goes past the parser, and its connection serves the next request', async () => {
    const target = await targetOf(stated(BODY.length), BODY);
    const upstream = openUpstream('direct://');
    for (let round = 0; round < 3; round += 1) {
      const { bytes, body } = await passed(await send(upstream, target));
      expect(body.equals(BODY)).toBe(true);
      expect(bytes).toBeLessThan(300_000);
    }
    expect(target.connections.length).toBe(1);
  });

  test('ends where its head says, and what comes behind it costs the connection', async () => {
    const target = await targetOf(stated(BODY.length - 1000), BODY);
    const upstream = openUpstream('direct://');
    for (let round = 0; round < 2; round += 1) {
      const { body } = await passed(await send(upstream, target));
      expect(body.equals(BODY.subarray(0, -1000))).toBe(true);
      await target.connections[round]?.end();
    }
    expect(target.connections.length).toBe(2);
  });

  test('that breaks off is an error', async () => {
    const target = await targetOf(stated(BODY.length + 1), BODY, ({ socket }) => socket.end());
    const answer = await send(openUpstream('direct://'), target);
    const { to, from } = await createPipe();
    from.resume();
    await expect(pass(answer, to)).rejects.toThrow('aborted');
  });

  test('that stops coming is late', async () => {
    const target = await targetOf(stated(BODY.length + 1), BODY);
    const answer = await send(openUpstream('direct://', { responseTimeoutMs: 200 }), target);
    const { to, from } = await createPipe();
    from.resume();
    expect(await failureOf(pass(answer, to))).toMatchObject({ code: 'timeout' });
  });

  test('that comes slowly is not late', async () => {
    const target = await targetOf(stated(BODY.length + 6), BODY, async ({ socket }) => {
      for (const piece of 'slowly') {
        await setTimeout(100);
        socket.write(piece);
      }
    });
    const answer = await send(openUpstream('direct://', { responseTimeoutMs: 300 }), target);
    const { body } = await passed(answer);
    expect(body.toString('latin1').endsWith('slowly')).toBe(true);
  });

  test('is not late because whoever gets it is slow', async () => {
    const large = Buffer.concat(Array.from({ length: 8 }, () => BODY));
    const target = await targetOf(stated(large.length), large);
    const answer = await send(openUpstream('direct://', { responseTimeoutMs: 200 }), target);
    const { to, from } = await createPipe();
    const passing = pass(answer, to);
    const silent = closeLater(await createRawTarget(() => {}));
    // Nobody reads while three other answers, one after the other, are late.
    const waiting = openUpstream('direct://', { responseTimeoutMs: 200 });
    for (const _ of [1, 2, 3]) expect(await failureOf(send(waiting, silent))).toMatchObject({ code: 'timeout' });
    const [body] = await Promise.all([readAll(from), passing]);
    expect(body.equals(large)).toBe(true);
  });

  test('that nobody wants any more ends with its connection', async () => {
    const target = await targetOf(stated(BODY.length * 2), BODY);
    const answer = await send(openUpstream('direct://'), target);
    const { to, from } = await createPipe();
    const passing = pass(answer, to).catch((error: unknown) => error);
    await once(from.resume(), 'data');
    answer.destroy(new Error('Enough of it'));
    await target.connections[0]?.end();
    expect(await passing).toMatchObject({ message: 'Enough of it' });
  });
});

for (const [name, head] of [
  ['in chunks', 'Transfer-Encoding: chunked'],
  ['in chunks, with a length besides', `${stated(5)}\r\nTransfer-Encoding: chunked`],
] as const) {
  test(`a body ${name} comes whole from the parser`, async () => {
    const { bytes, body } = await passed(await send(openUpstream('direct://'), await targetOf(head, IN_CHUNKS)));
    expect(body.equals(BODY)).toBe(true);
    expect(bytes).toBe(BODY.length);
  });
}
