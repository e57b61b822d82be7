// Large bodies: past their limit they are refused or cut, held ones arrive whole, and who reads slowly holds up who writes.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { RawConnection } from '../support/target-raw.js';
import { answerOnce, bodyOf, OK, outcomeOf, send, startScene, STRAIGHT } from './fidelity-ways.js';

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const LAST = '0\r\n\r\n';

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

for (const way of STRAIGHT) {
  describe(way.name, () => {
    describe('the limits', () => {
      const limits = { requestBytes: 1000, responseBytes: 1000 };
      const large = 'x'.repeat(1001);

      test('an answer that says it is too large is 541 before any of it', async () => {
        const scene = await startScene(way, answerOnce('HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\nx'), { limits });
        expect(outcomeOf(await scene.ask({}, 'responseBytes'))).toEqual([
          541,
          'data_error',
          expect.stringContaining('1000'),
        ]);
        const whole = await startScene(
          way,
          answerOnce(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${large.slice(1)}`),
          { limits },
        );
        expect(bodyOf(await whole.ask({}, large.slice(1)))).toBe(large.slice(1));
      });

      test('one that does not say is cut', async () => {
        const scene = await startScene(way, answerOnce(`HTTP/1.1 200 OK\r\n${CHUNKED}\r\n${chunk('ok')}`), { limits });
        const client = await scene.open();
        send(client, scene.request());
        await client.received('\r\nok');
        send(scene.target.connections[0] as RawConnection, chunk(large) + LAST);
        await client.end();
        expect(client.text).not.toContain(LAST);
        await scene.gateway.event((event) => event.type === 'use.settled' && event.error === 'data_error');
      });

      for (const [name, fields, body] of [
        ['says that it is', 'Content-Length: 1001\r\n', ''],
        ['turns out to be', CHUNKED, chunk(large)],
      ] as const) {
        test(`a request that ${name} too large is 413`, async () => {
          const scene = await startScene(way, () => undefined, { limits });
          const got = await scene.ask({ method: 'POST', fields, body }, 'requestBytes');
          expect(outcomeOf(got)).toEqual([413, 'request_too_large', expect.stringContaining('1000')]);
        });
      }

      test('a client that is refused while it sends is answered, however much it still sends', async () => {
        const scene = await startScene(way, () => undefined, { limits });
        const client = await scene.open();
        client.socket.pause();
        send(client, scene.request({ method: 'POST', fields: 'Content-Length: 20000000\r\n' }));
        await new Promise((resolve) => client.socket.write(Buffer.alloc(20_000_000), resolve));
        client.socket.resume();
        await client.end();
        expect(outcomeOf(client.text).slice(0, 2)).toEqual([413, 'request_too_large']);
      });
    });

    for (const framing of ['length', 'chunks'] as const) {
      test(`a body that was held, on disk, arrives byte for byte (${framing})`, async () => {
        const end = '-- the end --';
        const scene = await startScene(
          way,
          (connection) => void connection.received(end).then(() => send(connection, OK)),
          { delays: { default: '300ms' } },
        );
        const bytes = `${randomBytes(300_000).toString('latin1')}${end}`;
        const whole = { method: 'POST', fields: `Content-Length: ${bytes.length}\r\n`, body: bytes };
        const inChunks = { method: 'POST', fields: CHUNKED, body: `${chunk(bytes)}${LAST}` };
        await scene.ask(whole, '\r\n\r\nok');
        await scene.ask(framing === 'length' ? whole : inChunks, '\r\n\r\nok');
        const held = bodyOf(scene.target.connections[1]?.text ?? '');
        const pieces = held.split(/\r\n[\da-f]+\r\n|^[\da-f]+\r\n/).join('');
        expect(framing === 'length' ? held : pieces.slice(0, bytes.length)).toBe(bytes);
      });
    }

    describe('who reads slowly holds up who writes', () => {
      const bytes = 96 * 1024 * 1024;
      /** Buffers of the system take some of it, on each connection. */
      const most = 48 * 1024 * 1024;

      test('an answer of 96 MiB', async () => {
        let written = (): number => 0;
        const scene = await startScene(way, (connection) => {
          connection.socket.once('data', () => {
            send(connection, `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
            written = writeAll(connection.socket, bytes);
          });
        });
        const client = await scene.open();
        send(client, scene.request());
        await client.received('HTTP/1.1 200');
        client.socket.removeAllListeners('data').pause();
        expect(await settled(() => written())).toBeLessThan(most);
        expect(await readAll(client.socket, bytes)).toBeGreaterThan(bytes * 0.9);
      });

      test('a request of 96 MiB', async () => {
        const scene = await startScene(way, ({ socket }) => void socket.removeAllListeners('data').pause());
        const client = await scene.open();
        send(client, scene.request({ method: 'POST', fields: `Content-Length: ${bytes}\r\n` }));
        const written = writeAll(client.socket, bytes);
        expect(await settled(written)).toBeLessThan(most);
        const target = scene.target.connections[0] as RawConnection;
        expect(await readAll(target.socket, bytes)).toBeGreaterThan(bytes * 0.9);
      });
    });
  });
}

/** Writes as fast as it is taken. @returns how much was taken so far */
function writeAll(socket: Socket, bytes: number): () => number {
  const piece = Buffer.alloc(64 * 1024, 'x');
  let taken = 0;
  const write = (): void => {
    while (taken < bytes) {
      taken += piece.length;
      if (!socket.write(piece)) return void socket.once('drain', write);
    }
  };
  write();
  return () => taken;
}

/** Resolves with a number once it has stood still, which nothing but time can show. */
async function settled(read: () => number): Promise<number> {
  let last = -1;
  for (let still = 0; still < 5; still = read() === last ? still + 1 : 0) {
    last = read();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return last;
}

/** Resolves once nearly all has been read; what was read before is not seen here. */
function readAll(socket: Socket, bytes: number): Promise<number> {
  return new Promise((resolve) => {
    let read = 0;
    socket.on('data', (piece: Buffer) => {
      read += piece.length;
      if (read > bytes * 0.9) resolve(read);
    });
    socket.resume();
  });
}
