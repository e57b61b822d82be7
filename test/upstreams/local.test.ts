import { once } from 'node:events';
import { describe, expect, test } from 'vitest';

import { createTargetPolicy } from '../../src/upstreams/target-policy.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';
import { createRawTlsTarget } from '../support/target-tls.js';
import { closeLater, dial, failureOf, lookupOf, never, openUpstream, send, upgrade } from './open-upstream.js';
import { describeUpstreamContract } from './upstream-contract.js';

/** A policy whose lookup never answers. */
const STALLED = createTargetPolicy({ allowPrivate: true, isOwnAddress: () => false, dnsLookup: () => {} });

for (const url of ['local://127.0.0.2', 'direct://']) {
  describeUpstreamContract(url, {
    open: async (options) => openUpstream(url, options),
    openStalled: async (options) => ({
      upstream: openUpstream(url, { policy: STALLED, ...options }),
      target: { host: 'example.test', port: 80 },
    }),
  });
}

describe('an address of this machine', () => {
  test('is what the target sees, for tunnels and requests', async () => {
    const target = closeLater(
      await createRawTarget(({ socket }) => socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'))),
    );
    const upstream = openUpstream('local://127.0.0.2');
    await dial(upstream, target);
    await send(upstream, target);
    expect(target.connections.map(({ socket }) => socket.remoteAddress)).toEqual(['127.0.0.2', '127.0.0.2']);
  });

  test('that this machine does not have is send_failed, in words', async () => {
    const target = closeLater(await createRawTarget());
    const error = await failureOf(dial(openUpstream('local://203.0.113.77'), target));
    expect(error).toMatchObject({ code: 'send_failed' });
    expect(error.message).toMatch(/127\.0\.0\.1:\d+ from 203\.0\.113\.77 failed: .*not one of this machine/);
  });

  test('of IPv4 does not try an IPv6 target', async () => {
    const error = await failureOf(openUpstream('local://127.0.0.2').dial({ host: '::1', port: 80 }, never()));
    expect(error).toMatchObject({ code: 'ehostunreach' });
  });

  test('of IPv4 takes the IPv4 addresses of a name', async () => {
    const target = closeLater(await createRawTarget());
    const dnsLookup = lookupOf({ 'example.test': ['::1', '127.0.0.1'] });
    const policy = createTargetPolicy({ allowPrivate: true, isOwnAddress: () => false, dnsLookup });
    await dial(openUpstream('local://127.0.0.2', { policy }), { host: 'example.test', port: target.port });
    expect(target.connections).toHaveLength(1);
  });
});

for (const [what, secure, open] of [
  ['in the clear', undefined, createRawTarget],
  ['over TLS', { verify: false }, createRawTlsTarget],
] as const) {
  test(`a connection that was upgraded ${what} can be half-closed by the target`, async () => {
    const answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
    const target = closeLater(await open(({ socket }) => socket.once('data', () => socket.end(answer))));
    const headers = ['Host', 'h', 'Upgrade', 'x', 'Connection', 'Upgrade'];
    const { socket } = await upgrade(openUpstream('direct://'), target, { headers, secure });
    socket.resume();
    await once(socket, 'end');
    socket.end('still here');
    expect(await target.connections[0]?.received('still here')).toContain('still here');
  });
}

describe('failures', () => {
  test('a refused connection is econnrefused and names the target', async () => {
    const target = { host: '127.0.0.1', port: await closedPort() };
    const error = await failureOf(dial(openUpstream('direct://'), target));
    expect(error).toMatchObject({ code: 'econnrefused' });
    expect(error.message).toBe(
      `Connecting to 127.0.0.1:${target.port} from direct failed: the connection was refused (ECONNREFUSED)`,
    );
    expect(await failureOf(send(openUpstream('direct://'), target))).toMatchObject({ code: 'econnrefused' });
  });

  test('several refused addresses are one econnrefused', async () => {
    const dnsLookup = lookupOf({ 'example.test': ['::1', '127.0.0.1'] });
    const policy = createTargetPolicy({ allowPrivate: true, isOwnAddress: () => false, dnsLookup });
    const target = { host: 'example.test', port: await closedPort() };
    const error = await failureOf(dial(openUpstream('direct://', { policy }), target));
    expect(error).toMatchObject({ code: 'econnrefused' });
  });

  test('an unknown name is nxdomain', async () => {
    const policy = createTargetPolicy({ allowPrivate: false, isOwnAddress: () => false, dnsLookup: lookupOf({}) });
    const upstream = openUpstream('local://127.0.0.2', { policy });
    expect(await failureOf(dial(upstream, { host: 'no.test', port: 80 }))).toMatchObject({ code: 'nxdomain' });
  });
});

describe('the target policy', () => {
  const names = lookupOf({ 'inside.test': ['10.0.0.1'], 'mixed.test': ['169.254.169.254', '127.0.0.1'] });
  const strict = createTargetPolicy({ allowPrivate: false, isOwnAddress: () => false, dnsLookup: names });

  for (const url of ['local://127.0.0.2', 'direct://']) {
    for (const host of ['127.0.0.1', '::1', 'localhost', 'inside.test', 'mixed.test']) {
      test(`keeps ${url} from ${host}`, async () => {
        const upstream = openUpstream(url, { policy: strict });
        const error = await failureOf(dial(upstream, { host, port: 80 }));
        expect(error).toMatchObject({ code: 'domain_forbidden' });
        expect(error.message).not.toMatch(/10\.0\.0\.1|169\.254/);
        expect(await failureOf(send(upstream, { host, port: 80 }))).toMatchObject({ code: 'domain_forbidden' });
      });
    }
  }

  test('dials the address it allows and skips the one it does not', async () => {
    const target = closeLater(await createRawTarget());
    const policy = createTargetPolicy({
      allowPrivate: true,
      isOwnAddress: (ip) => ip === '127.0.0.9',
      dnsLookup: lookupOf({ 'both.test': ['127.0.0.9', '127.0.0.1'] }),
    });
    await dial(openUpstream('direct://', { policy }), { host: 'both.test', port: target.port });
    expect(target.connections[0]?.socket.localAddress).toBe('127.0.0.1');
  });

  test('keeps a name away from the gateway itself even with private targets allowed', async () => {
    const target = closeLater(await createRawTarget());
    const policy = createTargetPolicy({
      allowPrivate: true,
      isOwnAddress: (ip, port) => ip === '127.0.0.1' && port === target.port,
      dnsLookup: lookupOf({ 'loop.test': ['127.0.0.1'] }),
    });
    const attempt = dial(openUpstream('direct://', { policy }), { host: 'loop.test', port: target.port });
    expect(await failureOf(attempt)).toMatchObject({ code: 'domain_forbidden' });
    expect(target.connections).toHaveLength(0);
  });
});
