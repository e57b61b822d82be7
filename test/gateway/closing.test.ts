import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { deferred } from '../support/deferred.js';
import { startGateway, startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer, sendConnect, sendGet } from '../support/raw-client.js';

describe('a gateway that closes', () => {
  test('answers held requests and CONNECTs 503 serverbusy with Retry-After at once', async () => {
    const target = await startTarget();
    const { port, gateway, event } = await startGateway({
      delays: { default: '60s' },
      upstreams: ['local://127.0.0.2'],
    });
    await sendGet(port, target.url, '', 'session-a');
    const get = openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth('session-b')}\r\n`);
    const connect = openRaw(port, `CONNECT ${target.url.slice(7)} HTTP/1.1\r\n${proxyAuth('session-c')}\r\n`);
    await event((candidate) => candidate.type === 'session.created' && candidate.sessionId !== '');
    const answers = Promise.all([readAnswer(get), readAnswer(connect)]);
    while (gateway.heldUses < 2) await new Promise((resolve) => setImmediate(resolve));
    const closed = gateway.close();
    for (const answer of await answers) {
      expect([answer.status, answer.header('X-Crawlera-Error'), answer.header('Retry-After')]).toEqual([
        503,
        'serverbusy',
        '5',
      ]);
    }
    await closed;
    expect(target.arrivals).toHaveLength(1);
  });

  test('lets a running request end, takes no new connection, and is done when it has', async () => {
    const [arrived, onArrived] = deferred();
    const [mayEnd, letEnd] = deferred();
    const target = await startTarget((_, res) => {
      onArrived();
      void mayEnd.then(() => res.end('ended'));
    });
    const { port, gateway } = await startGateway({ drainTimeout: '20s' });
    const running = sendGet(port, target.url);
    await arrived;
    const closed = gateway.close();
    await refused(port);
    letEnd();
    expect((await running).body).toContain('ended');
    await closed;
  });

  test('cuts what has not ended by then, tunnels too', async () => {
    const target = await startTarget(() => undefined);
    const { port, gateway } = await startGateway({ drainTimeout: '100ms' });
    const { socket } = await sendConnect(port, target.url.slice(7), { password: 'session-a' });
    const cut = new Promise((resolve) => socket.once('close', resolve));
    socket.on('end', () => socket.end());
    socket.resume();
    await gateway.close();
    await cut;
  });

  test('does not wait for connections on which nothing runs', async () => {
    const { port, gateway } = await startGateway({ drainTimeout: '20s' });
    for (const bytes of ['', 'GET http://exam', `CONNECT 127.0.0.1:1 HTTP/1.1\r\n${proxyAuth()}\r\n`]) {
      const socket = openRaw(port, bytes);
      await new Promise((resolve) => socket.once('connect', resolve));
    }
    await gateway.close();
  });

  test('has settled every use once it is closed, those it cut too', async () => {
    const target = await startTarget(() => undefined);
    const { port, gateway, events } = await startGateway({ drainTimeout: '50ms' });
    for (let index = 0; index < 5; index += 1) {
      openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    }
    while (target.arrivals.length < 5) await new Promise((resolve) => setImmediate(resolve));
    await gateway.close();
    const settled = events.filter((event) => event.type === 'use.settled');
    expect(settled.map((event) => event.type === 'use.settled' && event.error)).toEqual(
      Array(5).fill('client_conn_closed'),
    );
  });

  test('does not listen again', async () => {
    const { gateway } = await startGateway();
    await gateway.close();
    await expect(gateway.listen()).rejects.toThrow('make a new one');
  });

  test('may be told so twice', async () => {
    const { gateway } = await startGateway();
    await Promise.all([gateway.close(), gateway.close()]);
  });

  test('does not mind idle keep-alive connections', async () => {
    const target = await startTarget();
    const { port, gateway } = await startGateway({ drainTimeout: '20s' });
    const socket = openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    await readAnswer(socket);
    socket.on('end', () => socket.end());
    await gateway.close();
  });
});

/** Resolves once a connection is refused. */
async function refused(port: number): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
  expect(code).toBe('ECONNREFUSED');
}
