// Watched upstreams over real proxies: what counts against them, and that one which is down contacts nobody.

import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';

import { HealthBook } from '../../src/upstreams/health.js';
import type { HealthEvent } from '../../src/upstreams/health-page.js';
import type { Upstream } from '../../src/upstreams/upstream.js';
import type { UpstreamOptions } from '../../src/upstreams/upstream-parts.js';
import type { UpstreamConfig } from '../../src/upstreams/upstream-url.js';
import { watchUpstream } from '../../src/upstreams/watched-upstream.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { closedPort, createRawTarget } from '../support/target-raw.js';
import { createTlsFront } from '../support/target-tls.js';
import { closeLater, dial, failureOf, openUpstream, requestTo, send } from './open-upstream.js';

const TARGET = { host: '127.0.0.1', port: 443 };

/** Opens an upstream that is watched; pauses last 1 s. */
function openWatched(config: UpstreamConfig, options: Partial<UpstreamOptions> = {}) {
  const events: HealthEvent[] = [];
  const book = new HealthBook({
    nowMs: () => performance.now(),
    random: () => 0.5,
    later: (run, delayMs) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    emit: (event) => events.push(event),
  });
  onTestFinished(() => book.close());
  const inner = openUpstream(config, { connectTimeoutMs: 300, responseTimeoutMs: 300, ...options });
  const isOwnAddress = /^(?:local|direct):/.test(typeof config === 'string' ? config : config.url);
  return { upstream: watchUpstream(inner, book, { isOwnAddress }), book, events, id: inner.id };
}

/** Dials until the upstream is down, at most `most` times; how often. */
async function dialsUntilDown({ upstream, book, id }: ReturnType<typeof openWatched>, most: number): Promise<number> {
  for (let dials = 1; dials <= most; dials += 1) {
    // Failures in a row are the question.
    // oxlint-disable-next-line no-await-in-loop
    await failureOf(upstream.dial(TARGET, new AbortController().signal));
    if (!book.isUsable(id)) return dials;
  }
  return Infinity;
}

async function openSilent(): Promise<number> {
  return closeLater(await createRawTarget()).port;
}

async function openResetting(): Promise<number> {
  const target = await createRawTarget(({ socket }) => socket.once('data', () => socket.resetAndDestroy()));
  return closeLater(target).port;
}

async function openSaying(answer: string): Promise<number> {
  const target = await createRawTarget(({ socket }) => socket.on('data', () => socket.write(answer)));
  return closeLater(target).port;
}

describe('a proxy goes down', () => {
  for (const [name, after, open] of [
    ['that refuses connections', 3, async () => `http://127.0.0.1:${await closedPort()}`],
    ['of SOCKS that refuses connections', 3, async () => `socks5://127.0.0.1:${await closedPort()}`],
    [
      'that refuses its credentials',
      3,
      async () => `http://me:wrong@127.0.0.1:${closeLater(await createHttpProxy({ credentials: 'me:right' })).port}`,
    ],
    [
      'of SOCKS that refuses its credentials',
      3,
      async () => `socks5://me:wrong@127.0.0.1:${closeLater(await createSocksProxy({ credentials: 'me:right' })).port}`,
    ],
    ['that leaves CONNECT without an answer', 5, async () => `http://127.0.0.1:${await openSilent()}`],
    ['of SOCKS that does not answer', 5, async () => `socks5://127.0.0.1:${await openSilent()}`],
    ['that does not answer TLS', 5, async () => `https://127.0.0.1:${await openSilent()}`],
    ['that resets before it answers', 5, async () => `http://127.0.0.1:${await openResetting()}`],
    ['of SOCKS that resets before it answers', 5, async () => `socks5://127.0.0.1:${await openResetting()}`],
    ['that answers no HTTP', 5, async () => `http://127.0.0.1:${await openSaying('SSH-2.0-server\r\n')}`],
    [
      'that wants payment',
      5,
      async () => `http://127.0.0.1:${await openSaying('HTTP/1.1 402 Payment Required\r\n\r\n')}`,
    ],
    ['whose name is not found', 5, async () => 'http://no-such-proxy.invalid:3128'],
    ['whose address is not one of this machine', 5, async () => 'local://198.51.100.1'],
    ['whose prefix is not one of this machine', 5, async () => 'local://198.51.100.0/29'],
  ] as const) {
    test(`${name}, after ${after} failures in a row`, async () => {
      const watched = openWatched(await open());
      expect(await dialsUntilDown(watched, 8)).toBe(after);
      expect(watched.events.map(({ type }) => type)).toEqual(['upstream.down']);
    });
  }

  test('with a certificate that is none of its own, after 3 failures in a row', async () => {
    const { port } = closeLater(await createTlsFront(closeLater(await createHttpProxy()).port));
    expect(await dialsUntilDown(openWatched(`https://127.0.0.1:${port}`), 8)).toBe(3);
  });

  test('that breaks off plain requests, after 5 in a row', async () => {
    const { upstream, book, id } = openWatched(`http://127.0.0.1:${await openResetting()}`);
    for (let sent = 0; sent < 5; sent += 1) {
      expect(book.isUsable(id)).toBe(true);
      // oxlint-disable-next-line no-await-in-loop
      await failureOf(send(upstream, TARGET));
    }
    expect(book.isUsable(id)).toBe(false);
  });
});

describe('a proxy stays up', () => {
  for (const [name, open] of [
    [
      'that can not reach its targets',
      async () => `http://127.0.0.1:${closeLater(await createHttpProxy({ refuseWith: 502 })).port}`,
    ],
    [
      'that reports 504 for its targets',
      async () => `http://127.0.0.1:${closeLater(await createHttpProxy({ refuseWith: 504 })).port}`,
    ],
    [
      'of SOCKS whose targets refuse',
      async () => `socks5://127.0.0.1:${closeLater(await createSocksProxy({ replyWith: 5 })).port}`,
    ],
    [
      'of SOCKS that reports a failure',
      async () => `socks5://127.0.0.1:${closeLater(await createSocksProxy({ replyWith: 1 })).port}`,
    ],
  ] as const) {
    test(name, async () => {
      expect(await dialsUntilDown(openWatched(await open()), 8)).toBe(Infinity);
    });
  }

  test('whose plain requests are answered 503', async () => {
    const port = await openSaying('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
    const { upstream, book, id } = openWatched(`http://127.0.0.1:${port}`);
    for (let sent = 0; sent < 8; sent += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await text(await send(upstream, TARGET));
    }
    expect(book.isUsable(id)).toBe(true);
  });

  test('whose clients leave', async () => {
    const watched = openWatched(`http://127.0.0.1:${await openSilent()}`);
    const left = Array.from({ length: 8 }, () => watched.upstream.dial(TARGET, AbortSignal.timeout(10)));
    for (const failure of await Promise.all(left.map((attempt) => failureOf(attempt)))) {
      expect(failure.code).toBe('client_conn_closed');
    }
    expect(watched.book.isUsable(watched.id)).toBe(true);
  });

  test('with one target that does not answer, and goes down with five', async () => {
    const { upstream, book, id } = openWatched(`http://127.0.0.1:${await openSilent()}`);
    const silent = (hosts: readonly string[]) =>
      Promise.all(hosts.map((host) => failureOf(upstream.request(requestTo({ host, port: 80 })))));
    await silent(Array.from({ length: 8 }, () => 'one.test'));
    expect(book.isUsable(id)).toBe(true);
    await silent(['two.test', 'three.test', 'four.test', 'five.test']);
    expect(book.isUsable(id)).toBe(false);
  });
});

describe('an address of this machine stays up', () => {
  for (const [name, open] of [
    ['whose targets refuse', closedPort],
    ['whose targets reset', openResetting],
    ['whose targets are silent', openSilent],
  ] as const) {
    test(name, async () => {
      const { upstream, book, id } = openWatched('local://127.0.0.2');
      const port = await open();
      const hosts = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 10}`);
      await Promise.all(hosts.map((host) => upstream.request(requestTo({ host, port })).catch(() => undefined)));
      expect(book.isUsable(id)).toBe(true);
    });
  }
});

describe('a line with many exits', () => {
  const credentials = 'http://user-{session}:pw@';
  const through = async ({ upstream }: ReturnType<typeof openWatched>, exits: readonly string[]): Promise<void> => {
    for (const exit of exits) {
      const one = upstream.exits?.through(exit) ?? upstream;
      // oxlint-disable-next-line no-await-in-loop
      await failureOf(one.dial(TARGET, new AbortController().signal));
    }
  };

  test('stays up with one bad exit, and goes down with five', async () => {
    const watched = openWatched(`${credentials}127.0.0.1:${await openResetting()}`);
    await through(
      watched,
      Array.from({ length: 8 }, () => 'exit1'),
    );
    expect(watched.book.isUsable(watched.id)).toBe(true);
    await through(watched, ['exit2', 'exit3', 'exit4', 'exit5']);
    expect(watched.book.isUsable(watched.id)).toBe(false);
  });

  test('goes down when the line itself refuses connections, though but one exit is in use', async () => {
    const watched = openWatched(`${credentials}127.0.0.1:${await closedPort()}`);
    await through(watched, ['exit1', 'exit1', 'exit1']);
    expect(watched.book.isUsable(watched.id)).toBe(false);
  });

  test('gives the same object for the same exit', async () => {
    const { upstream } = openWatched(`${credentials}127.0.0.1:9`);
    expect(upstream.exits?.through('exit1')).toBe(upstream.exits?.through('exit1'));
    expect(upstream.exits?.through('exit1')).not.toBe(upstream.exits?.through('exit2'));
  });
});

test('an upstream that is down contacts nobody until its pause is over, then serves again', async () => {
  let isBroken = true;
  const proxy = closeLater(
    await createRawTarget(({ socket }) =>
      socket.on('data', () => {
        if (isBroken) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      }),
    ),
  );
  const { upstream, book, events, id } = openWatched(`http://127.0.0.1:${proxy.port}`);
  expect(await dialsUntilDown({ upstream, book, events, id }, 8)).toBe(5);
  const isUsableAgain = new Promise((resolve) => book.onChange(resolve));
  isBroken = false;
  const calls: readonly ((via: Upstream) => Promise<unknown>)[] = [
    (via) => send(via, TARGET),
    (via) => dial(via, TARGET),
    (via) => via.upgrade(requestTo(TARGET)),
  ];
  for (const call of calls) {
    // oxlint-disable-next-line no-await-in-loop
    const { code, retryAfterMs } = await failureOf(call(upstream));
    expect(code).toBe('noslaves');
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(1_000);
  }
  expect(proxy.connections).toHaveLength(5);
  await isUsableAgain;
  expect((await send(upstream, TARGET)).statusCode).toBe(204);
  expect(proxy.connections).toHaveLength(6);
  expect(events.map(({ type }) => type)).toEqual(['upstream.down', 'upstream.up']);
  expect(book.healthOf(id).state).toBe('up');
});
