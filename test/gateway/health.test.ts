// A gateway whose upstreams fail: they are left alone, others serve, and they come back.

import { setTimeout } from 'node:timers/promises';

import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import type { GatewayEvent, GatewayOptions } from '../../src/gateway/index.js';
import { startGateway, startTarget, type TestGateway } from '../support/gateway.js';
import { type RawConnection, createRawTarget } from '../support/target-raw.js';
import { sendConnect, sendGet } from '../support/raw-client.js';

const NO_RETRIES: GatewayOptions = { retries: { default: 0 } };

/** A proxy that resets everything until it is mended. */
async function startBreakable() {
  const proxy = { isBroken: true };
  const onConnection = ({ socket }: RawConnection): void => {
    socket.on('data', () => {
      if (proxy.isBroken) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  };
  const server = await createRawTarget(onConnection);
  onTestFinished(() => server.close());
  return { ...server, proxy, url: `http://127.0.0.1:${server.port}`, id: `127.0.0.1:${server.port}` };
}

/** Sends requests until the upstream is down; each one is answered with a failure of its own. */
async function sendUntilDown({ port, event }: TestGateway): Promise<GatewayEvent> {
  for (let sent = 0; sent < 5; sent += 1) {
    // Failures in a row are the question.
    // oxlint-disable-next-line no-await-in-loop
    expect((await sendGet(port, 'http://shop.test/')).status).toBe(502);
  }
  return event(({ type }) => type === 'upstream.down');
}

function typesOf(events: readonly GatewayEvent[]): readonly string[] {
  return events.map(({ type }) => type).filter((type) => type.startsWith('upstream.'));
}

test('with everything down, all is refused with the time to come back, and nobody is contacted', async () => {
  const upstream = await startBreakable();
  const gateway = await startGateway({ ...NO_RETRIES, upstreams: [upstream.url], intercept: 'never' });
  const target = await startTarget();
  const { port } = gateway;
  expect(await sendUntilDown(gateway)).toMatchObject({ upstream: upstream.id, error: 'econnreset' });
  const before = upstream.connections.length;
  const answers = [
    await sendGet(port, target.url),
    await sendGet(port, target.url, 'X-Crawlera-Session: create\r\n'),
    (await sendConnect(port, `127.0.0.1:${target.port}`)).answer,
  ];
  for (const { status, header } of answers) {
    expect(status).toBe(503);
    expect(header('X-Crawlera-Error')).toBe('noslaves');
    expect(Number(header('Retry-After'))).toBeGreaterThanOrEqual(1);
    expect(Number(header('Retry-After'))).toBeLessThanOrEqual(2);
  }
  expect(upstream.connections).toHaveLength(before);
  expect(target.connections()).toBe(0);
  upstream.proxy.isBroken = false;
  // What Retry-After promises holds: that long after, the upstream is tried again.
  await setTimeout(Number(answers.at(-1)?.header('Retry-After')) * 1000);
  expect((await sendGet(port, 'http://shop.test/')).status).toBe(200);
  expect(typesOf(gateway.events)).toEqual(['upstream.down', 'upstream.up']);
});

test('while one is down, requests go through the others', async () => {
  const upstream = await startBreakable();
  const gateway = await startGateway({ upstreams: [upstream.url, 'local://127.0.0.2'] });
  const target = await startTarget();
  // Those that met the broken one were sent again through the other.
  while (!typesOf(gateway.events).includes('upstream.down')) {
    // oxlint-disable-next-line no-await-in-loop
    expect((await sendGet(gateway.port, target.url)).status).toBe(200);
  }
  const before = upstream.connections.length;
  for (let sent = 0; sent < 4; sent += 1) {
    // oxlint-disable-next-line no-await-in-loop
    expect((await sendGet(gateway.port, target.url)).status).toBe(200);
  }
  expect(upstream.connections).toHaveLength(before);
});

test('a session of an upstream that is down is refused, and lives on', async () => {
  const upstream = await startBreakable();
  const gateway = await startGateway({ ...NO_RETRIES, upstreams: [upstream.url] });
  const client = new SessionsClient(gateway.gateway.proxyUrl);
  const { id } = await client.create();
  await sendUntilDown(gateway);
  const { status, header } = await sendGet(gateway.port, 'http://shop.test/', `X-Crawlera-Session: ${id}\r\n`);
  expect([status, header('X-Crawlera-Error')]).toEqual([503, 'noslaves']);
  expect(header('Retry-After')).toMatch(/^[12]$/);
  expect(await client.get(id)).toMatchObject({ id, state: 'active' });
});

test('the API tells how an upstream is, without its credentials', async () => {
  const upstream = await startBreakable();
  const url = upstream.url.replace('//', '//me:secretpw@');
  const gateway = await startGateway({ ...NO_RETRIES, upstreams: [url, 'local://127.0.0.2'] });
  const client = new SessionsClient(gateway.gateway.proxyUrl);
  const healthy = { state: 'up', message: null, retryAfterMs: 0 };
  expect((await client.upstreams()).upstreams.map(({ health }) => health)).toEqual([healthy, healthy]);
  while (!typesOf(gateway.events).includes('upstream.down')) {
    // oxlint-disable-next-line no-await-in-loop
    await sendGet(gateway.port, 'http://shop.test/');
  }
  const { upstreams } = await client.upstreams();
  expect(upstreams[0]?.health).toMatchObject({ state: 'down', message: expect.stringContaining('reset') });
  expect(upstreams[0]?.health?.retryAfterMs).toBeGreaterThan(0);
  expect(JSON.stringify([upstreams, gateway.events])).not.toContain('secretpw');
});

test('a client is told the same as ever while its upstream fails', async () => {
  const upstream = await startBreakable();
  const gateway = await startGateway({ ...NO_RETRIES, upstreams: [upstream.url] });
  const { status, header, body } = await sendGet(gateway.port, 'http://shop.test/');
  expect([status, header('X-Crawlera-Error')]).toEqual([502, 'econnreset']);
  expect(body).toContain(`The request to shop.test:80 through ${upstream.id} failed`);
});
