import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import { createSocks4Proxy } from '../support/proxy-socks4.js';
import type { Socks4ProxyOptions } from '../support/proxy-socks4.js';
import { createRawTarget } from '../support/target-raw.js';
import { closeLater, dial, failureOf, never, openUpstream, send } from './open-upstream.js';
import { describeUpstreamContract } from './upstream-contract.js';

const TARGET = { host: 'example.test', port: 80 };

async function openProxy(options: Socks4ProxyOptions = {}, userinfo = '') {
  const proxy = closeLater(await createSocks4Proxy(options));
  return { proxy, url: `socks4://${userinfo}127.0.0.1:${proxy.port}`, id: `127.0.0.1:${proxy.port}` };
}

describeUpstreamContract('socks4://', {
  open: async (options) => openUpstream((await openProxy()).url, options),
  openStalled: async (options) => {
    const silent = closeLater(await createRawTarget());
    return { upstream: openUpstream(`socks4://127.0.0.1:${silent.port}`, options), target: TARGET };
  },
});

describe('a SOCKS4 proxy', () => {
  for (const scheme of ['socks4', 'socks4a']) {
    test(`is given names unresolved by ${scheme}://`, async () => {
      const target = closeLater(await createRawTarget());
      const { proxy } = await openProxy({ names: { 'example.test': '127.0.0.1' } });
      await dial(openUpstream(`${scheme}://127.0.0.1:${proxy.port}`), { host: 'example.test', port: target.port });
      expect(proxy.asked).toEqual([{ host: 'example.test', isName: true, port: target.port, user: '' }]);
    });
  }

  test('is given an address as one', async () => {
    const { proxy, url } = await openProxy({ replyWith: 91 });
    await failureOf(dial(openUpstream(url), { host: '192.0.2.7', port: 443 }));
    expect(proxy.asked).toEqual([{ host: '192.0.2.7', isName: false, port: 443, user: '' }]);
  });

  test('is given the user of the URL', async () => {
    const target = closeLater(await createRawTarget());
    const { proxy, url } = await openProxy({ user: 'us:er' }, 'us%3Aer@');
    await dial(openUpstream(url), target);
    expect(proxy.asked[0]?.user).toBe('us:er');
  });

  for (const host of ['::1', '2001:db8::1', '0.0.0.1']) {
    test(`is not asked for ${host}, which it can't be told`, async () => {
      const { proxy, url, id } = await openProxy();
      const error = await failureOf(openUpstream(url).dial({ host, port: 80 }, never()));
      expect(error).toMatchObject({ code: 'ehostunreach' });
      expect(error.message).toContain(`through ${id} failed: SOCKS4 reaches names and IPv4 addresses only`);
      expect(proxy.asked).toEqual([]);
    });
  }

  test('loses nothing that comes with its reply, end of stream included', async () => {
    const { url } = await openProxy({ greeting: '220 ready\r\n' });
    const tunnel = await dial(openUpstream(url), TARGET);
    await new Promise(setImmediate);
    expect(tunnel.readableFlowing).toBe(null);
    expect(await text(tunnel)).toBe('220 ready\r\n');
  });
});

describe('failures', () => {
  for (const [reply, message] of [
    [91, /failed: the proxy refused it, or could not reach the target$/],
    [92, /^Upstream 127\.0\.0\.1:\d+ asks for credentials, and none are configured/],
    [93, /^Upstream 127\.0\.0\.1:\d+ asks for credentials, and none are configured/],
    [7, /failed: the proxy does not speak SOCKS4 as it should$/],
  ] as const) {
    test(`reply ${reply} is send_failed`, async () => {
      const { url } = await openProxy({ replyWith: reply });
      const error = await failureOf(send(openUpstream(url), TARGET));
      expect(error).toMatchObject({ code: 'send_failed' });
      expect(error.message).toMatch(message);
    });
  }

  test('a user it does not know is send_failed, names the upstream and stays secret', async () => {
    const { url, id } = await openProxy({ user: 'other' }, 'hidden@');
    const error = await failureOf(dial(openUpstream(url), TARGET));
    expect(error.message).toBe(`Upstream ${id} refused its credentials; check its URL in the configuration`);
    expect(JSON.stringify([error, error.cause, error.message])).not.toContain('hidden');
  });

  test('a proxy that closes the connection is socket_closed_remotely', async () => {
    const proxy = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => socket.destroy())));
    const error = await failureOf(dial(openUpstream(`socks4://127.0.0.1:${proxy.port}`), TARGET));
    expect(error).toMatchObject({ code: 'socket_closed_remotely' });
  });

  test('a proxy that speaks something else is send_failed', async () => {
    const proxy = closeLater(await createRawTarget(({ socket }) => void socket.write('SSH-2.0-OpenSSH\r\n')));
    const error = await failureOf(dial(openUpstream(`socks4://127.0.0.1:${proxy.port}`), TARGET));
    expect(error).toMatchObject({ code: 'send_failed' });
  });
});
