// What holds for every kind of upstream, run over real connections. Each kind's own file adds what is its own.

import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';

import { GatewayError } from '../../src/sessions/errors.js';
import type { DialTarget, Upstream } from '../../src/upstreams/upstream.js';
import type { UpstreamOptions } from '../../src/upstreams/upstream-parts.js';
import { createHttpTarget } from '../support/target-http.js';
import { createRawTarget } from '../support/target-raw.js';
import { closeLater, dial, failureOf, send } from './open-upstream.js';

/** A kind of upstream under test. */
export interface UpstreamKind {
  /** Opens one whose proxy, if it has one, works. */
  open(options?: Partial<UpstreamOptions>): Promise<Upstream>;
  /** Opens one that gets no answer while it connects, and a target to try. */
  openStalled(options?: Partial<UpstreamOptions>): Promise<{ upstream: Upstream; target: DialTarget }>;
}

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
}
