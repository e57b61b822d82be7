// What holds for every kind of upstream, run over real connections. Each kind's own file adds what is its own.

import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';

import { GatewayError } from '../../src/sessions/errors.js';
import type { DialTarget, Upstream } from '../../src/upstreams/upstream.js';
import type { UpstreamOptions } from '../../src/upstreams/upstream-parts.js';
import { createHttpTarget } from '../support/target-http.js';
import { createRawTarget } from '../support/target-raw.js';
import type { RawConnection, RawTarget } from '../support/target-raw.js';
import { createHttpsTarget, createRawTlsTarget } from '../support/target-tls.js';
import { closeLater, dial, failureOf, requestTo, send, upgrade } from './open-upstream.js';

/** A kind of upstream under test. */
export interface UpstreamKind {
  /** Opens one whose proxy, if it has one, works. */
  open(options?: Partial<UpstreamOptions>): Promise<Upstream>;
  /** Opens one that gets no answer while it connects, and a target to try. */
  openStalled(options?: Partial<UpstreamOptions>): Promise<{ upstream: Upstream; target: DialTarget }>;
}

/** Takes the self-signed certificate of the targets here. */
const UNVERIFIED = { verify: false };
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n';
const ASK = ['Host', 'x', 'upgrade', 'echo', 'Connection', 'Upgrade'];

const MEBIBYTE = Buffer.alloc(1024 * 1024, 'session proxy ');

/** Runs the contract. */
export function describeUpstreamContract(name: string, kind: UpstreamKind): void {
  describe(`${name}: tunnels`, () => {
    test('carry 1 MiB both ways', async () => {
      const target = closeLater(await createRawTarget(({ socket }) => socket.pipe(socket)));
      const tunnel = await dial(await kind.open(), target);
      tunnel.end(MEBIBYTE);
      expect((await buffer(tunnel)).equals(MEBIBYTE)).toBe(true);
    });

    test('pass a half-close on and keep the other direction open', async () => {
      const target = closeLater(await createRawTarget());
      const tunnel = await dial(await kind.open(), target);
      tunnel.end('question');
      await expect.poll(() => target.connections.length).toBe(1);
      const [connection] = target.connections;
      await connection?.end();
      expect(connection?.text).toBe('question');
      connection?.socket.end('answer');
      expect(await text(tunnel)).toBe('answer');
    });

    test('deliver what the target says first, however late one listens', async () => {
      const target = closeLater(await createRawTarget(({ socket }) => void socket.end('220 ready\r\n')));
      const tunnel = await dial(await kind.open(), target);
      await finished(target.connections[0]?.socket ?? tunnel, { readable: false });
      expect(tunnel.readableFlowing).toBe(null);
      expect(await text(tunnel)).toBe('220 ready\r\n');
    });

    test('outlive the signal that opened them', async () => {
      const target = closeLater(await createRawTarget(({ socket }) => socket.pipe(socket)));
      const controller = new AbortController();
      const tunnel = await dial(await kind.open(), target, controller.signal);
      controller.abort();
      tunnel.end('still here');
      expect(await text(tunnel)).toBe('still here');
    });

    test('stay open when the upstream is closed', async () => {
      const target = closeLater(await createRawTarget(({ socket }) => socket.pipe(socket)));
      const upstream = await kind.open();
      const tunnel = await dial(upstream, target);
      await upstream.close();
      tunnel.end('still here');
      expect(await text(tunnel)).toBe('still here');
    });

    test('are given up at once on abort', async () => {
      const { upstream, target } = await kind.openStalled();
      const controller = new AbortController();
      const attempt = failureOf(upstream.dial(target, controller.signal));
      controller.abort();
      expect(await attempt).toMatchObject({ code: 'client_conn_closed' });
    });

    test('fail with the reason of the abort where that is a GatewayError', async () => {
      const { upstream, target } = await kind.openStalled();
      const reason = new GatewayError('serverbusy', 'The gateway stops');
      expect(await failureOf(upstream.dial(target, AbortSignal.abort(reason)))).toBe(reason);
    });

    test('time out while connecting', async () => {
      const { upstream, target } = await kind.openStalled({ connectTimeoutMs: 20 });
      const controller = new AbortController();
      const error = await failureOf(upstream.dial(target, controller.signal));
      expect(error).toMatchObject({ code: 'timeout' });
      expect(error.message).toContain(`${target.host}:${target.port}`);
    });
  });

  describe(`${name}: requests`, () => {
    test('carry 1 MiB both ways', async () => {
      const target = closeLater(await createHttpTarget());
      const body = Readable.from([MEBIBYTE.subarray(0, 300_000), MEBIBYTE.subarray(300_000)], { objectMode: false });
      const headers = ['Host', 'x', 'Content-Length', String(MEBIBYTE.length), 'Connection', 'keep-alive'];
      const answer = await send(await kind.open(), target, { method: 'POST', headers, body });
      expect((await buffer(answer)).equals(MEBIBYTE)).toBe(true);
    });

    test('share one connection, one after the other', async () => {
      const target = closeLater(await createHttpTarget());
      const upstream = await kind.open();
      await text(await send(upstream, target));
      await text(await send(upstream, target));
      const [first, second] = target.seen;
      expect(second?.remotePort).toBe(first?.remotePort);
    });

    test('say once when they go out', async () => {
      const target = closeLater(
        await createRawTarget(({ socket }) => void socket.end('HTTP/1.1 204 No Content\r\n\r\n')),
      );
      let sent = 0;
      await send(await kind.open(), target, { onSent: () => (sent += 1) });
      expect(sent).toBe(1);
    });

    test('are given up at once while connecting, without touching the body', async () => {
      const { upstream, target } = await kind.openStalled();
      const controller = new AbortController();
      const body = Readable.from(['body']);
      let sent = 0;
      const over = { method: 'POST', body, signal: controller.signal, onSent: () => (sent += 1) };
      const attempt = failureOf(send(upstream, target, over));
      controller.abort();
      expect(await attempt).toMatchObject({ code: 'client_conn_closed' });
      expect(sent).toBe(0);
      expect(await text(body)).toBe('body');
    });

    test('are given up at once while the answer is awaited', async () => {
      const controller = new AbortController();
      const target = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => controller.abort())));
      const error = await failureOf(send(await kind.open(), target, { signal: controller.signal }));
      expect(error).toMatchObject({ code: 'client_conn_closed' });
      await target.connections[0]?.end();
    });

    test('are given up at once while the answer is read', async () => {
      const target = closeLater(
        await createRawTarget(({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')),
      );
      const controller = new AbortController();
      const answer = await send(await kind.open(), target, { signal: controller.signal });
      await once(answer, 'readable');
      controller.abort();
      await expect(text(answer)).rejects.toMatchObject({ code: 'client_conn_closed' });
      await target.connections[0]?.end();
    });

    test('fail with the reason of the abort where that is a GatewayError', async () => {
      const { upstream, target } = await kind.openStalled();
      const reason = new GatewayError('timeout', 'Time is up');
      expect(await failureOf(send(upstream, target, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    });

    test('time out without an answer', async () => {
      const target = closeLater(await createRawTarget());
      const upstream = await kind.open({ responseTimeoutMs: 20 });
      const error = await failureOf(send(upstream, target));
      expect(error).toMatchObject({ code: 'timeout' });
      expect(error.message).toContain(`${target.host}:${target.port}`);
    });
  });
  describe(`${name}: requests over TLS`, () => {
    test('carry 1 MiB both ways', async () => {
      const target = closeLater(await createHttpsTarget());
      const body = Readable.from([MEBIBYTE.subarray(0, 300_000), MEBIBYTE.subarray(300_000)], { objectMode: false });
      const headers = ['Host', 'x', 'Content-Length', String(MEBIBYTE.length), 'Connection', 'keep-alive'];
      const answer = await send(await kind.open(), target, { method: 'POST', headers, body, secure: UNVERIFIED });
      expect((await buffer(answer)).equals(MEBIBYTE)).toBe(true);
    });

    test('go out in origin form, byte for byte', async () => {
      const target = closeLater(
        await createRawTlsTarget(({ socket }) => socket.once('data', () => socket.end('HTTP/1.1 204 No\r\n\r\n'))),
      );
      const headers = ['hOsT', 'h', 'X-b', '1', 'x-A', '\u00e9', 'Connection', 'keep-alive'];
      await send(await kind.open(), target, { path: '/a?b=%20', headers, secure: UNVERIFIED });
      expect(target.connections[0]?.text).toBe(
        'GET /a?b=%20 HTTP/1.1\r\nhOsT: h\r\nX-b: 1\r\nx-A: \u00e9\r\nConnection: keep-alive\r\n\r\n',
      );
    });

    test('ask for a name, never for an address, and offer HTTP/1.1 alone', async () => {
      const target = closeLater(await createHttpsTarget());
      const upstream = await kind.open();
      for (const servername of [undefined, 'one.test', '127.0.0.1']) {
        await text(await send(upstream, target, { secure: { servername, verify: false } }));
      }
      expect(target.seen.map(({ servername, alpn }) => [servername, alpn])).toEqual([
        [false, 'http/1.1'],
        ['one.test', 'http/1.1'],
        [false, 'http/1.1'],
      ]);
    });

    test('share a connection only with those that ask for the same name', async () => {
      const target = closeLater(await createHttpsTarget());
      const upstream = await kind.open();
      const names = ['one.test', 'two.test', 'one.test', undefined, 'two.test'];
      for (const servername of names) {
        await text(await send(upstream, target, { secure: { servername, verify: false } }));
      }
      const ports = target.seen.map(({ remotePort }) => remotePort);
      expect(ports.map((port) => ports.indexOf(port))).toEqual([0, 1, 0, 3, 1]);
    });

    test('go out once more where a kept connection turns out to be dead', async () => {
      let requests = 0;
      const serve = ({ socket }: RawConnection) =>
        socket.on('data', () => {
          requests += 1;
          if (requests === 2) socket.destroy();
          else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
      const target = closeLater(await createRawTlsTarget(serve));
      const upstream = await kind.open();
      for (const _ of [1, 2]) expect(await text(await send(upstream, target, { secure: UNVERIFIED }))).toBe('ok');
      expect(requests).toBe(3);
      expect(target.connections).toHaveLength(2);
    });

    test('to a target whose certificate does not verify are bad_cert, and never sent', async () => {
      const target = closeLater(await createHttpsTarget());
      const upstream = await kind.open();
      await text(await send(upstream, target, { secure: UNVERIFIED }));
      let sent = 0;
      const error = await failureOf(send(upstream, target, { secure: { verify: true }, onSent: () => (sent += 1) }));
      expect(error).toMatchObject({ code: 'bad_cert' });
      expect(error.message).toContain(`Connecting to 127.0.0.1:${target.port} `);
      expect(error.message).toMatch(
        / failed: the certificate for 127\.0\.0\.1 is self-signed \(\w+\); list 127\.0\.0\.1 under targets\.insecure /,
      );
      expect(sent).toBe(0);
      expect(target.seen).toHaveLength(1);
    });

    test('to a target that speaks no TLS are send_failed', async () => {
      const target = closeLater(await createHttpTarget());
      const error = await failureOf(send(await kind.open(), target, { secure: { verify: true } }));
      expect(error).toMatchObject({ code: 'send_failed' });
      expect(error.message).toContain('failed: the other side does not speak TLS');
    });

    test('to a target that refuses the handshake are send_failed, with its reason', async () => {
      const target = closeLater(await createRawTlsTarget(undefined, { ALPNProtocols: ['h2'] }));
      const error = await failureOf(send(await kind.open(), target, { secure: UNVERIFIED }));
      expect(error).toMatchObject({ code: 'send_failed' });
      expect(error.message).toMatch(/failed: the TLS handshake: .*no application protocol/);
    });

    test('to a target that hangs up during the handshake are socket_closed_remotely', async () => {
      const target = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => socket.destroy())));
      const error = await failureOf(send(await kind.open(), target, { secure: UNVERIFIED }));
      expect(error).toMatchObject({ code: 'socket_closed_remotely' });
    });

    test('time out during the handshake with the time for connecting', async () => {
      const target = closeLater(await createRawTarget());
      const upstream = await kind.open({ connectTimeoutMs: 300 });
      const error = await failureOf(send(upstream, target, { secure: UNVERIFIED }));
      expect(error).toMatchObject({ code: 'timeout' });
      expect(error.message).toMatch(/^Connecting to 127\.0\.0\.1:\d+ .* took longer than 300 ms$/);
      await target.connections[0]?.end();
    });

    test('are given up at once during the handshake', async () => {
      const controller = new AbortController();
      const target = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => controller.abort())));
      const over = { secure: UNVERIFIED, signal: controller.signal };
      expect(await failureOf(send(await kind.open(), target, over))).toMatchObject({ code: 'client_conn_closed' });
      await target.connections[0]?.end();
    });

    test('leave no connection open when the upstream is closed', async () => {
      const target = closeLater(
        await createRawTlsTarget(({ socket }) =>
          socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')),
        ),
      );
      const upstream = await kind.open();
      expect(await text(await send(upstream, target, { secure: UNVERIFIED }))).toBe('ok');
      await upstream.close();
      await target.connections[0]?.end();
    });

    test('fail their answer where it breaks off', async () => {
      const target = closeLater(
        await createRawTlsTarget(({ socket }) =>
          socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')),
        ),
      );
      const answer = await send(await kind.open(), target, { secure: UNVERIFIED });
      await expect(text(answer)).rejects.toThrow('aborted');
    });
  });

  for (const [what, secure, open] of [
    ['in the clear', undefined, createRawTarget],
    ['over TLS', UNVERIFIED, createRawTlsTarget],
  ] as const) {
    describe(`${name}: upgrades ${what}`, () => {
      /** A target that answers a request with some bytes, and echoes from there on. */
      async function echo(answer: string): Promise<RawTarget> {
        const serve = ({ socket }: RawConnection) =>
          socket.once('data', () => {
            socket.write(answer);
            socket.pipe(socket);
          });
        return closeLater(await open(serve));
      }

      test('hand the connection over, with all that came behind the head', async () => {
        const target = await echo(`${SWITCH}first`);
        const { answer, socket, head } = await upgrade(await kind.open(), target, { headers: ASK, path: '/a', secure });
        expect(target.connections[0]?.text).toBe(
          'GET /a HTTP/1.1\r\nHost: x\r\nupgrade: echo\r\nConnection: Upgrade\r\n\r\n',
        );
        expect([answer.statusCode, ...answer.rawHeaders]).toEqual([101, 'Upgrade', 'echo', 'Connection', 'Upgrade']);
        socket.end(MEBIBYTE);
        expect(
          Buffer.concat([head, await buffer(socket)]).equals(Buffer.concat([Buffer.from('first'), MEBIBYTE])),
        ).toBe(true);
      });

      test('outlive their signal, their clock and their upstream', async () => {
        const target = await echo(SWITCH);
        const upstream = await kind.open();
        const controller = new AbortController();
        const over = { headers: ASK, secure, signal: controller.signal, responseTimeoutMs: 500 };
        const { socket } = await upgrade(upstream, target, over);
        expect(Reflect.get(socket, 'timeout')).toBe(0);
        controller.abort();
        const silent = closeLater(await createRawTarget());
        const late = send(upstream, silent, { responseTimeoutMs: 500 });
        expect(await failureOf(late)).toMatchObject({ code: 'timeout' });
        await upstream.close();
        socket.end('still here');
        expect(await text(socket)).toBe('still here');
      });

      test('that are not granted are answers like any other', async () => {
        const target = await echo('HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno');
        const upstream = await kind.open();
        const answer = await upstream.upgrade(requestTo(target, { headers: ASK, secure }));
        if (!(answer instanceof IncomingMessage)) throw new Error('expected an answer');
        expect(answer.statusCode).toBe(426);
        expect(await text(answer)).toBe('no');
      });

      test('fail as requests do', async () => {
        const silent = closeLater(await open());
        const upstream = await kind.open();
        const late = upstream.upgrade(requestTo(silent, { headers: ASK, secure, responseTimeoutMs: 20 }));
        expect(await failureOf(late)).toMatchObject({ code: 'timeout' });
        const controller = new AbortController();
        const deaf = closeLater(await open(({ socket }) => socket.once('data', () => controller.abort())));
        const left = upstream.upgrade(requestTo(deaf, { headers: ASK, secure, signal: controller.signal }));
        expect(await failureOf(left)).toMatchObject({ code: 'client_conn_closed' });
        const rude = closeLater(await open(({ socket }) => socket.once('data', () => socket.end('SSH-2.0\r\n'))));
        const failed = upstream.upgrade(requestTo(rude, { headers: ASK, secure }));
        expect(await failureOf(failed)).toMatchObject({ code: 'send_failed' });
      });
    });
  }
}
