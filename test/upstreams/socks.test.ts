import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import { createSocksProxy } from '../support/proxy-socks5.js';
import type { SocksProxyOptions } from '../support/proxy-socks5.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';
import { closeLater, dial, failureOf, openUpstream, send } from './open-upstream.js';
import { describeUpstreamContract } from './upstream-contract.js';

const TARGET = { host: 'example.test', port: 80 };

async function openProxy(options: SocksProxyOptions = {}, userinfo = '') {
  const proxy = closeLater(await createSocksProxy(options));
  return { proxy, url: `socks5://${userinfo}127.0.0.1:${proxy.port}`, id: `127.0.0.1:${proxy.port}` };
}

describeUpstreamContract('socks5://', {
  open: async (options) => openUpstream((await openProxy()).url, options),
  openStalled: async (options) => {
    const silent = closeLater(await createRawTarget());
    return { upstream: openUpstream(`socks5://127.0.0.1:${silent.port}`, options), target: TARGET };
  },
});

describe('a SOCKS5 proxy', () => {
  for (const scheme of ['socks5', 'socks5h']) {
    test(`is given names unresolved by ${scheme}://`, async () => {
      const target = closeLater(await createRawTarget());
      const { proxy } = await openProxy({ names: { 'example.test': '127.0.0.1' } });
      await dial(openUpstream(`${scheme}://127.0.0.1:${proxy.port}`), { host: 'example.test', port: target.port });
      expect(proxy.asked).toEqual([{ type: 3, host: 'example.test', port: target.port, user: undefined }]);
    });
  }

  for (const [host, type] of [
    ['127.0.0.1', 1],
    ['::1', 4],
  ] as const) {
    test(`is given ${host} as an address`, async () => {
      const { proxy, url } = await openProxy({ replyWith: 2 });
      await failureOf(dial(openUpstream(url), { host, port: 80 }));
      expect(proxy.asked[0]).toMatchObject({ type, port: 80 });
    });
  }

  test('loses nothing that comes with its reply, end of stream included', async () => {
    const { url } = await openProxy({ greeting: '220 ready\r\n' });
    const tunnel = await dial(openUpstream(url), TARGET);
    await new Promise(setImmediate);
    expect(tunnel.readableFlowing).toBe(null);
    expect(await text(tunnel)).toBe('220 ready\r\n');
  });

  test('loses nothing that comes with its reply when listened to by data events', async () => {
    const { url } = await openProxy({ greeting: '220 ready\r\n' });
    const tunnel = await dial(openUpstream(url), TARGET);
    const [chunk]: unknown[] = await once(tunnel, 'data');
    expect(String(chunk)).toBe('220 ready\r\n');
  });

  test('carries a request byte for byte', async () => {
    const target = closeLater(
      await createRawTarget(({ socket }) => socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'))),
    );
    const { url } = await openProxy();
    await send(openUpstream(url), target, {
      path: '/a?b',
      headers: ['hOsT', 'h', 'B', '1', 'a', '2', 'B', '3', 'connection', 'x'],
    });
    expect(target.connections[0]?.text).toBe(
      'GET /a?b HTTP/1.1\r\nhOsT: h\r\nB: 1\r\na: 2\r\nB: 3\r\nconnection: x\r\n\r\n',
    );
  });
});

describe('credentials', () => {
  test('are percent-decoded and sent', async () => {
    const target = closeLater(await createRawTarget());
    const { proxy, url } = await openProxy({ credentials: 'us:er:p@ss' }, 'us%3Aer:p%40ss@');
    await dial(openUpstream(url), target);
    expect(proxy.asked[0]?.user).toBe('us:er');
  });

  for (const [name, userinfo] of [
    ['wrong', 'user:wrong@'],
    ['missing', ''],
  ]) {
    test(`that are ${name} are send_failed, name the upstream and stay secret`, async () => {
      const { url, id } = await openProxy({ credentials: 'user:secret' }, userinfo);
      const error = await failureOf(dial(openUpstream(url), TARGET));
      expect(error).toMatchObject({ code: 'send_failed' });
      expect(error.message).toContain(`Upstream ${id}`);
      expect(error.message).toMatch(/credentials/);
      expect(JSON.stringify([error, error.cause, error.message])).not.toContain('wrong');
      expect(await failureOf(send(openUpstream(url), TARGET))).toMatchObject({ code: 'send_failed' });
    });
  }
});

describe('failures', () => {
  for (const [reply, code] of [
    [1, 'send_failed'],
    [2, 'send_failed'],
    [3, 'ehostunreach'],
    [4, 'ehostunreach'],
    [5, 'econnrefused'],
    [6, 'timeout'],
    [7, 'send_failed'],
    [8, 'send_failed'],
    [99, 'send_failed'],
  ] as const) {
    test(`reply ${reply} is ${code}`, async () => {
      const { url, id } = await openProxy({ replyWith: reply });
      const error = await failureOf(dial(openUpstream(url), TARGET));
      expect(error).toMatchObject({ code });
      expect(error.message).toContain(`Connecting to example.test:80 through ${id} failed`);
    });
  }

  test('a proxy that closes the connection is socket_closed_remotely', async () => {
    const proxy = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => socket.destroy())));
    const error = await failureOf(dial(openUpstream(`socks5://127.0.0.1:${proxy.port}`), TARGET));
    expect(error).toMatchObject({ code: 'socket_closed_remotely' });
  });

  test('a proxy that resets the connection is econnreset', async () => {
    const proxy = closeLater(
      await createRawTarget(({ socket }) => socket.once('data', () => socket.resetAndDestroy())),
    );
    const error = await failureOf(dial(openUpstream(`socks5://127.0.0.1:${proxy.port}`), TARGET));
    expect(error).toMatchObject({ code: 'econnreset' });
  });

  test('a proxy that speaks something else is send_failed', async () => {
    const proxy = closeLater(await createRawTarget(({ socket }) => void socket.write('SSH-2.0-OpenSSH\r\n')));
    const error = await failureOf(dial(openUpstream(`socks5://127.0.0.1:${proxy.port}`), TARGET));
    expect(error).toMatchObject({ code: 'send_failed' });
  });

  test('a proxy that is not there is econnrefused and named', async () => {
    const port = await closedPort();
    const error = await failureOf(dial(openUpstream(`socks5://user:secret@127.0.0.1:${port}`), TARGET));
    expect(error).toMatchObject({ code: 'econnrefused' });
    expect(error.message).toContain(`upstream 127.0.0.1:${port}`);
  });
});
