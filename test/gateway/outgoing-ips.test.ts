// A gateway that learns which addresses targets see: from a service that is named, from a vendor's answers, or not at all.

import http from 'node:http';
import { expect, onTestFinished, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { deferred } from '../support/deferred.js';
import { createFakeVendor, type FakeVendorOptions } from '../support/fake-vendor.js';
import { startGateway, startTarget } from '../support/gateway.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { sendConnect, sendGet } from '../support/raw-client.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

/** A service that answers with the address it sees, or with what a test sets. */
async function startEcho() {
  const echo = { ip: undefined as string | undefined, asked: 0 };
  const server = http.createServer((req, res) => {
    echo.asked += 1;
    res.end(JSON.stringify({ ip: echo.ip ?? req.socket.remoteAddress }));
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return { echo, url: `http://127.0.0.1:${port}/ip` };
}

async function startProxy(): Promise<string> {
  const proxy = await createHttpProxy();
  onTestFinished(() => proxy.close());
  return `http://127.0.0.1:${proxy.port}`;
}

async function startVendor(over: Partial<FakeVendorOptions> = {}) {
  const credentials = /^user-(?<session>[a-z0-9]{10}):pw$/;
  const vendor = await createFakeVendor({ credentials, countsFrom: 'use', ...over });
  onTestFinished(() => vendor.close());
  return { vendor, url: `http://user-{session}:pw@127.0.0.1:${vendor.port}` };
}

test('what the named service sees becomes the outgoing IP of each upstream that has none', async () => {
  const { echo, url } = await startEcho();
  const proxies = [await startProxy(), await startProxy()];
  const upstreams = [...proxies, { url: await startProxy(), outgoingIp: '192.0.2.9' }, 'local://127.0.0.2'];
  const { gateway, events, event } = await startGateway({ upstreams, outgoingIps: { echoUrl: url } });
  const ids = proxies.map((proxy) => new URL(proxy).host);
  for (const id of ids) {
    // oxlint-disable-next-line no-await-in-loop
    await event((one) => one.type === 'upstream.ip-learned' && one.upstream === id);
  }
  const { upstreams: shown } = await new SessionsClient(gateway.proxyUrl).upstreams();
  expect(shown.map(({ outgoingIp }) => outgoingIp)).toEqual(['127.0.0.1', '127.0.0.1', '192.0.2.9', '127.0.0.2']);
  expect(echo.asked).toBe(2);
  expect(events.some(({ type }) => type === 'gateway.failure')).toBe(false);
});

test('upstreams that turn out to share an outgoing IP share its clock', async () => {
  const { url } = await startEcho();
  const upstreams = [await startProxy(), await startProxy()];
  const target = await startTarget();
  const started = await startGateway({
    upstreams,
    outgoingIps: { echoUrl: url },
    delays: { default: '1h', maxHold: '1s' },
    retries: { default: 0 },
  });
  for (const upstream of upstreams) {
    // oxlint-disable-next-line no-await-in-loop
    await started.event((one) => one.type === 'upstream.ip-learned' && one.upstream === new URL(upstream).host);
  }
  const first = await sendGet(started.port, target.url);
  const second = await sendGet(started.port, target.url);
  expect([first.status, first.header('X-Crawlera-Slave')]).toEqual([200, '127.0.0.1']);
  expect([second.status, second.header('X-Crawlera-Error')]).toEqual([503, 'serverbusy']);
});

test('nobody is asked unless a URL is named', async () => {
  const { vendor, url } = await startVendor();
  const proxy = await createHttpProxy();
  onTestFinished(() => proxy.close());
  const target = await startTarget();
  const { port } = await startGateway({ upstreams: [url, `http://127.0.0.1:${proxy.port}`] });
  for (let sessions = 0; sessions < 4; sessions += 1) {
    // oxlint-disable-next-line no-await-in-loop
    expect((await sendGet(port, target.url, 'X-Crawlera-Session: create\r\n')).status).toBe(200);
  }
  expect(vendor.sessions.length + proxy.asked.length).toBe(4);
  expect(target.arrivals).toHaveLength(4);
});

test('the exit of a session is asked for once, in the background, and that of other requests is not', async () => {
  const { echo, url } = await startEcho();
  const { vendor, url: upstream } = await startVendor();
  const target = await startTarget();
  const { port, gateway, event } = await startGateway({ upstreams: [upstream], outgoingIps: { echoUrl: url } });
  await sendGet(port, target.url);
  await sendGet(port, target.url);
  expect(echo.asked).toBe(0);
  const created = await sendGet(port, target.url, 'X-Crawlera-Session: create\r\n');
  const id = created.header('X-Crawlera-Session') ?? '';
  await event(({ type }) => type === 'upstream.ip-learned');
  const again = await sendGet(port, target.url, `X-Crawlera-Session: ${id}\r\n`);
  expect(again.header('X-Crawlera-Slave')).toBe(target.arrivals.at(-1)?.fromIp);
  expect(echo.asked).toBe(1);
  expect(new Set(vendor.sessions.slice(2)).size).toBe(1);
  expect(await new SessionsClient(gateway.proxyUrl).get(id)).toMatchObject({
    outgoingIp: target.arrivals.at(-1)?.fromIp,
  });
});

for (const [what, send] of [
  ['a request', (port: number, url: string, headers: string) => sendGet(port, url, headers)],
  [
    'a CONNECT',
    async (port: number, url: string, headers: string) =>
      (await sendConnect(port, new URL(url).host, { headers })).answer,
  ],
] as const) {
  test(`what a vendor tells in its answer to ${what} becomes the outgoing IP of the session`, async () => {
    const { vendor } = await startVendor({
      credentials: /^brd-customer-c1-zone-z1-session-(?<session>[a-z0-9]+):pw$/,
      tellsIn: 'x-brd-ip',
    });
    const target = await startTarget();
    const upstream = {
      vendor: 'brightdata',
      url: `http://brd-customer-c1-zone-z1:pw@127.0.0.1:${vendor.port}`,
    } as const;
    const { port, gateway, event } = await startGateway({ upstreams: [upstream] });
    const client = new SessionsClient(gateway.proxyUrl);
    const { id } = await client.create();
    const answer = await send(port, target.url, `X-Crawlera-Session: ${id}\r\n`);
    expect(answer.status).toBe(200);
    const learned = await event(({ type }) => type === 'upstream.ip-learned');
    expect((await client.get(id))?.outgoingIp).toBe('outgoingIp' in learned ? learned.outgoingIp : undefined);
    expect((await client.get(id))?.outgoingIp).toMatch(/^127\.0\.0\.\d+$/);
  });
}

for (const [exposeOutgoingIp, told] of [
  [true, expect.stringMatching(/^127\.0\.0\.\d+$/) as unknown],
  [false, undefined],
] as const) {
  test(`a vendor's own field of the outgoing IP ${exposeOutgoingIp ? 'reaches' : 'is kept from'} clients`, async () => {
    const credentials = /^brd-customer-c1-zone-z1-session-(?<session>[a-z0-9]+):pw$/;
    const { vendor } = await startVendor({ credentials, tellsIn: 'x-brd-ip' });
    const target = await startTarget();
    const url = `http://brd-customer-c1-zone-z1:pw@127.0.0.1:${vendor.port}`;
    const { port } = await startGateway({ upstreams: [{ vendor: 'brightdata', url }], exposeOutgoingIp });
    const answer = await sendGet(port, target.url);
    expect([answer.status, answer.header('x-brd-ip')]).toEqual([200, told]);
  });
}

for (const [onChange, status] of [
  ['tell', 200],
  ['end', 400],
] as const) {
  test(`a session whose vendor has forgotten it is told of; with ${onChange}, its next use gets ${status}`, async () => {
    const { vendor } = await startVendor({
      credentials: /^brd-customer-c1-zone-z1-session-(?<session>[a-z0-9]+):pw$/,
      tellsIn: 'x-brd-ip',
    });
    const target = await startTarget();
    const upstream = {
      vendor: 'brightdata',
      url: `http://brd-customer-c1-zone-z1:pw@127.0.0.1:${vendor.port}`,
    } as const;
    const { port, gateway, event } = await startGateway({ upstreams: [upstream], outgoingIps: { onChange } });
    const { id } = await new SessionsClient(gateway.proxyUrl).create();
    const session = `X-Crawlera-Session: ${id}\r\n`;
    await sendGet(port, target.url, session);
    vendor.clock.advance(3_600_000);
    await sendGet(port, target.url, session);
    await event(({ type }) => type === 'session.ip-changed');
    expect((await sendGet(port, target.url, session)).status).toBe(status);
  });
}

test('a service that is not there is told of once, and changes nothing else', async () => {
  const upstreams = ['direct://'];
  const target = await startTarget();
  const { port, event, events } = await startGateway({
    upstreams,
    outgoingIps: { echoUrl: 'http://127.0.0.1:9/ip' },
  });
  await event(({ type }) => type === 'upstream.ip-unknown');
  expect((await sendGet(port, target.url)).status).toBe(200);
  expect(events.filter(({ type }) => type.startsWith('upstream.'))).toHaveLength(1);
});

test('an idle upstream is probed for the URL that is named', async () => {
  const [arrived, arrive] = deferred();
  const target = await startTarget((_, res) => {
    arrive();
    res.end();
  });
  await startGateway({
    upstreams: ['local://127.0.0.7'],
    health: { probe: { url: target.url, interval: '1ms', perMinute: 600 } },
  });
  await arrived;
  expect(target.arrivals[0]?.fromIp).toBe('127.0.0.7');
});
