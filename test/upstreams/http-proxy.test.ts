import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import { createHttpProxy } from '../support/proxy-http.js';
import type { HttpProxyOptions } from '../support/proxy-http.js';
import { createHttpTarget } from '../support/target-http.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';
import { createHttpsTarget, createTlsFront } from '../support/target-tls.js';
import { closeLater, dial, failureOf, openUpstream, requestTo, send } from './open-upstream.js';
import { describeUpstreamContract } from './upstream-contract.js';

const TARGET = { host: 'example.test', port: 80 };
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';

async function openProxy(options: HttpProxyOptions = {}, userinfo = '') {
  const proxy = closeLater(await createHttpProxy(options));
  return { proxy, url: `http://${userinfo}127.0.0.1:${proxy.port}`, id: `127.0.0.1:${proxy.port}` };
}

/** A proxy that answers everything with the same bytes and keeps what it was sent. */
async function openRawProxy(answer: string, userinfo = '') {
  const proxy = closeLater(await createRawTarget(({ socket }) => socket.on('data', () => socket.write(answer))));
  return { proxy, url: `http://${userinfo}127.0.0.1:${proxy.port}`, id: `127.0.0.1:${proxy.port}` };
}

describeUpstreamContract('http://', {
  open: async (options) => openUpstream((await openProxy()).url, options),
  openStalled: async (options) => {
    const silent = closeLater(await createRawTarget());
    return {
      upstream: openUpstream(`http://127.0.0.1:${silent.port}`, options),
      target: TARGET,
    };
  },
});

/** The same proxy behind TLS. */
async function openSecureProxy(options: HttpProxyOptions = {}, userinfo = '') {
  const proxy = closeLater(await createHttpProxy(options));
  const { port } = closeLater(await createTlsFront(proxy.port));
  return { proxy, url: `https://${userinfo}127.0.0.1:${port}`, id: `127.0.0.1:${port}` };
}

describeUpstreamContract('https://', {
  open: async (options) => openUpstream({ url: (await openSecureProxy()).url, insecure: true }, options),
  openStalled: async (options) => {
    const silent = closeLater(await createRawTarget());
    return {
      upstream: openUpstream(`https://127.0.0.1:${silent.port}`, options),
      target: TARGET,
    };
  },
});

describe('a proxy behind TLS', () => {
  test('is told everything as one in the clear, credentials included', async () => {
    const target = closeLater(await createHttpTarget());
    const { proxy, url } = await openSecureProxy({ credentials: 'user:secret' }, 'user:secret@');
    const upstream = openUpstream({ url, insecure: true });
    for (const _ of [1, 2]) await text(await send(upstream, target, { path: '/page' }));
    await dial(upstream, target);
    expect(proxy.asked).toEqual([
      ...[1, 2].map(() => `GET http://127.0.0.1:${target.port}/page`),
      `CONNECT 127.0.0.1:${target.port}`,
    ]);
    expect(target.seen[0]?.rawHeaders.join()).not.toMatch(/proxy-auth/i);
  });

  test('whose certificate does not verify is send_failed and named, and is told nothing', async () => {
    const { proxy, url, id } = await openSecureProxy();
    const upstream = openUpstream(url.replace('://', '://user:secret@'));
    for (const attempt of [dial(upstream, TARGET), send(upstream, TARGET)]) {
      const error = await failureOf(attempt);
      expect(error).toMatchObject({ code: 'send_failed' });
      expect(error.message).toMatch(/the certificate for 127\.0\.0\.1 is self-signed .*`insecure: true`/);
      expect(error.message).toContain(`upstream ${id} failed`);
    }
    expect(proxy.asked).toEqual([]);
  });

  test('that speaks no TLS is send_failed and named', async () => {
    const { url, id } = await openProxy();
    const error = await failureOf(send(openUpstream(url.replace('http:', 'https:')), TARGET));
    expect(error).toMatchObject({ code: 'send_failed' });
    expect(error.message).toContain(`Connecting to upstream ${id} failed: the other side does not speak TLS`);
  });

  test('does not make the certificates of targets less worth', async () => {
    const target = closeLater(await createHttpsTarget());
    const { url } = await openSecureProxy();
    const attempt = send(openUpstream({ url, insecure: true }), target, { secure: { verify: true } });
    expect(await failureOf(attempt)).toMatchObject({ code: 'bad_cert' });
  });
});

describe('plain requests', () => {
  for (const [name, target, path, line] of [
    ['an absolute form', TARGET, '/a?b=%20', 'http://example.test/a?b=%20'],
    ['a port that is not the usual one', { host: 'example.test', port: 8080 }, '/', 'http://example.test:8080/'],
    ['an IPv6 address in brackets', { host: '2001:db8::1', port: 81 }, '/', 'http://[2001:db8::1]:81/'],
    ['the asterisk as an authority', TARGET, '*', 'http://example.test'],
  ] as const) {
    test(`go out with ${name}, every other byte as given`, async () => {
      const { proxy, url } = await openRawProxy(NO_CONTENT);
      const headers = ['hOsT', 'h', 'X-b', '1', 'x-A', '\u00e9', 'X-b', '2', 'Connection', 'keep-alive'];
      await send(openUpstream(url), target, { method: 'OPTIONS', path, headers });
      expect(proxy.connections[0]?.text).toBe(
        `OPTIONS ${line} HTTP/1.1\r\nhOsT: h\r\nX-b: 1\r\nx-A: \u00e9\r\nX-b: 2\r\nConnection: keep-alive\r\n\r\n`,
      );
    });
  }

  test('carry the credentials of the upstream, never those of the client', async () => {
    const { proxy, url } = await openRawProxy(NO_CONTENT, 'us%20er:p%40ss@');
    const headers = ['Host', 'h', 'proxy-authorization', 'Basic client', 'Connection', 'keep-alive'];
    await send(openUpstream(url), TARGET, { headers });
    expect(proxy.connections[0]?.text).toContain(
      `Host: h\r\nConnection: keep-alive\r\nProxy-Authorization: Basic ${btoa('us er:p@ss')}\r\n`,
    );
    expect(proxy.connections[0]?.text).not.toContain('client');
  });

  test('reach the target with the credentials taken off', async () => {
    const target = closeLater(await createHttpTarget());
    const { proxy, url } = await openProxy({ credentials: 'user:secret' }, 'user:secret@');
    const answer = await send(openUpstream(url), target, { path: '/page' });
    expect(answer.statusCode).toBe(200);
    expect(proxy.asked.at(-1)).toBe(`GET http://127.0.0.1:${target.port}/page`);
    expect(target.seen[0]?.rawHeaders.join()).not.toMatch(/proxy-auth/i);
  });
});

describe('tunnels', () => {
  test('ask with CONNECT and the credentials, and nothing of ours besides', async () => {
    const { proxy, url } = await openRawProxy('HTTP/1.1 200 Connection established\r\n\r\n', 'user:secret@');
    await dial(openUpstream(url), { host: '2001:db8::1', port: 443 });
    expect(proxy.connections[0]?.text).toBe(
      'CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n' +
        `Proxy-Authorization: Basic ${btoa('user:secret')}\r\nConnection: keep-alive\r\n\r\n`,
    );
  });

  test('lose nothing that comes with the answer', async () => {
    const proxy = closeLater(
      await createRawTarget(({ socket }) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n220 ready'))),
    );
    const tunnel = await dial(openUpstream(`http://127.0.0.1:${proxy.port}`), TARGET);
    expect(await text(tunnel)).toBe('220 ready');
  });

  test('are authorized by a real proxy', async () => {
    const target = closeLater(await createRawTarget());
    const { proxy, url } = await openProxy({ credentials: 'user:secret' }, 'user:secret@');
    await dial(openUpstream(url), target);
    expect(proxy.asked).toEqual([`CONNECT 127.0.0.1:${target.port}`]);
  });
});

describe('requests over TLS and upgrades', () => {
  test('go through tunnels', async () => {
    const secure = closeLater(await createHttpsTarget());
    const plain = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => socket.end(NO_CONTENT))));
    const { proxy, url } = await openProxy();
    const upstream = openUpstream(url);
    await text(await send(upstream, secure, { secure: { verify: false } }));
    await upstream.upgrade(requestTo(plain, { headers: ['Host', 'h', 'Upgrade', 'x', 'Connection', 'Upgrade'] }));
    expect(proxy.asked).toEqual([`CONNECT 127.0.0.1:${secure.port}`, `CONNECT 127.0.0.1:${plain.port}`]);
  });
});

describe('a 407 of the upstream never reaches the client', () => {
  for (const [name, userinfo] of [
    ['wrong', 'user:wrong@'],
    ['missing', ''],
  ]) {
    test(`with ${name} credentials`, async () => {
      const { url, id } = await openProxy({ credentials: 'user:secret' }, userinfo);
      for (const attempt of [dial(openUpstream(url), TARGET), send(openUpstream(url), TARGET)]) {
        const error = await failureOf(attempt);
        expect(error).toMatchObject({ code: 'send_failed' });
        expect(error.message).toContain(`Upstream ${id}`);
        expect(error.message).toMatch(/credentials/);
        expect(error.message).not.toContain('wrong');
      }
    });
  }
});

describe('failures', () => {
  for (const [status, code] of [
    [403, 'ehostunreach'],
    [502, 'ehostunreach'],
    [503, 'ehostunreach'],
    [504, 'timeout'],
  ] as const) {
    test(`CONNECT answered ${status} is ${code}, with the status`, async () => {
      const { url, id } = await openProxy({ refuseWith: status });
      const error = await failureOf(dial(openUpstream(url), TARGET));
      expect(error).toMatchObject({ code });
      expect(error.message).toBe(`Connecting to example.test:80 through ${id} failed: it answered ${status}`);
    });
  }

  test('what a proxy answers to a plain request is the answer', async () => {
    const { url } = await openProxy({ refuseWith: 502 });
    expect((await send(openUpstream(url), TARGET)).statusCode).toBe(502);
  });

  test('a proxy that closes the connection is socket_closed_remotely', async () => {
    const proxy = closeLater(await createRawTarget(({ socket }) => socket.once('data', () => socket.end())));
    const upstream = openUpstream(`http://127.0.0.1:${proxy.port}`);
    expect(await failureOf(dial(upstream, TARGET))).toMatchObject({ code: 'socket_closed_remotely' });
    expect(await failureOf(send(upstream, TARGET))).toMatchObject({ code: 'socket_closed_remotely' });
  });

  test('a proxy that does not speak HTTP is send_failed', async () => {
    const { url } = await openRawProxy('SSH-2.0-OpenSSH\r\n');
    expect(await failureOf(dial(openUpstream(url), TARGET))).toMatchObject({ code: 'send_failed' });
    expect(await failureOf(send(openUpstream(url), TARGET))).toMatchObject({ code: 'send_failed' });
  });

  test('a proxy that is not there is econnrefused and named', async () => {
    const port = await closedPort();
    const upstream = openUpstream(`http://user:secret@127.0.0.1:${port}`);
    for (const attempt of [dial(upstream, TARGET), send(upstream, TARGET)]) {
      const error = await failureOf(attempt);
      expect(error).toMatchObject({ code: 'econnrefused' });
      expect(error.message).toContain(`upstream 127.0.0.1:${port}`);
    }
  });
});
