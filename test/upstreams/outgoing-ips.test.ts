// Which outgoing IPs become known, over real upstreams and a service that answers with the address it sees.

import http, { type RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';

import { type OutgoingIpEvent, OutgoingIps } from '../../src/upstreams/outgoing-ips.js';
import type { Upstream } from '../../src/upstreams/upstream.js';
import type { ToldOutgoingIp } from '../../src/upstreams/upstream-parts.js';
import { FakeClock } from '../support/fake-clock.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';
import { closedPort } from '../support/target-raw.js';
import { closeLater, openUpstream } from './open-upstream.js';

const MINUTE = 60_000;

/** Answers with the address it sees, unless a test answers for it. */
async function startEcho(listener: RequestListener = (req, res) => res.end(req.socket.remoteAddress)) {
  let asked = 0;
  const server = http.createServer((req, res) => {
    asked += 1;
    listener(req, res);
  });
  const port = await listenOnFreePort(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return { url: `http://127.0.0.1:${port}/ip`, asked: () => asked };
}

/** The learning, over these upstreams, with what it tells. */
function openIps(upstreams: readonly Upstream[], echoUrl: string | undefined) {
  const clock = new FakeClock();
  const learned: ToldOutgoingIp[] = [];
  const events: OutgoingIpEvent[] = [];
  const waiting = new Set<() => void>();
  const down = new Set<string>();
  const ips = new OutgoingIps({
    echo: echoUrl === undefined ? undefined : { url: echoUrl, verify: true },
    sessionTtlMs: 30 * MINUTE,
    nowMs: () => clock.nowMs(),
    find: (id) => upstreams.find((upstream) => upstream.id === id),
    isUsable: (id) => !down.has(id),
    learn: (told) => learned.push(told),
    emit: (event) => {
      events.push(event);
      for (const check of waiting) check();
    },
  });
  onTestFinished(() => ips.close());
  const eventsUntil = (count: number): Promise<readonly OutgoingIpEvent[]> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (events.length >= count) resolve(events);
      };
      waiting.add(check);
      check();
    });
  return { ips, clock, learned, events, eventsUntil, down };
}

async function openProxied(): Promise<Upstream> {
  const { port } = closeLater(await createHttpProxy());
  return openUpstream(`http://127.0.0.1:${port}`);
}

async function openSticky(over: Partial<Upstream> = {}): Promise<Upstream> {
  const { port } = closeLater(await createHttpProxy());
  return { ...openUpstream(`http://user-{session}:pw@127.0.0.1:${port}`), ...over };
}

describe('without an echo URL', () => {
  test('nobody is asked, and what a proxy tells is learned once', async () => {
    const echo = await startEcho();
    const upstream = await openProxied();
    const { ips, learned } = openIps([upstream], undefined);
    ips.listed([upstream]);
    ips.tick();
    const told = { upstreamId: upstream.id, exit: undefined, ip: '192.0.2.1' };
    ips.heard(told);
    ips.heard(told);
    ips.heard({ ...told, ip: '192.0.2.2' });
    expect(learned).toEqual([told, { ...told, ip: '192.0.2.2' }]);
    expect(echo.asked()).toBe(0);
  });

  test('what a proxy tells of an exit counts once a session uses it', async () => {
    const upstream = await openSticky({ tellsOutgoingIp: 'x-ip' });
    const { ips, learned } = openIps([upstream], undefined);
    const told = { upstreamId: upstream.id, exit: 'abc', ip: '192.0.2.1' };
    ips.heard(told);
    expect(learned).toEqual([]);
    ips.used(upstream, 'abc');
    ips.heard(told);
    expect(learned).toEqual([told]);
  });

  test('what is configured is believed, whatever a proxy tells', async () => {
    const upstream = openUpstream({ url: 'http://127.0.0.1:9', outgoingIp: '192.0.2.9' });
    const { ips, learned } = openIps([upstream], undefined);
    ips.heard({ upstreamId: upstream.id, exit: undefined, ip: '192.0.2.1' });
    expect(learned).toEqual([]);
  });
});

describe('with an echo URL', () => {
  test('each upstream is asked once, but those whose outgoing IP is known', async () => {
    const echo = await startEcho();
    const proxied = await openProxied();
    const upstreams = [proxied, openUpstream('local://127.0.0.2'), openUpstream('direct://')];
    const { ips, learned, eventsUntil } = openIps(upstreams, echo.url);
    ips.listed(upstreams);
    await eventsUntil(2);
    expect(learned).toHaveLength(2);
    expect(learned).toContainEqual({ upstreamId: proxied.id, exit: undefined, ip: '127.0.0.1' });
    expect(learned).toContainEqual({ upstreamId: 'direct', exit: undefined, ip: '127.0.0.1' });
    ips.listed(upstreams);
    ips.tick();
    expect(echo.asked()).toBe(2);
  });

  test('an exit is asked once, however many uses come at a time', async () => {
    const echo = await startEcho();
    const upstream = await openSticky();
    const { ips, learned, eventsUntil } = openIps([upstream], echo.url);
    for (let uses = 0; uses < 5; uses += 1) ips.used(upstream, 'abcdefghij');
    await eventsUntil(1);
    ips.used(upstream, 'abcdefghij');
    ips.tick();
    expect(learned).toEqual([{ upstreamId: upstream.id, exit: 'abcdefghij', ip: '127.0.0.1' }]);
    expect(echo.asked()).toBe(1);
  });

  test('an exit is asked again before the vendor forgets it, and told only where its IP has changed', async () => {
    let ip = '192.0.2.1';
    const echo = await startEcho((_, res) => res.end(ip));
    const upstream = await openSticky({ stickyMs: 10 * MINUTE, countsFrom: 'use' });
    const { ips, clock, learned, eventsUntil } = openIps([upstream], echo.url);
    ips.used(upstream, 'abcdefghij');
    await eventsUntil(1);
    clock.advance(9 * MINUTE);
    ips.tick();
    expect(echo.asked()).toBe(1);
    ip = '192.0.2.2';
    clock.advance(MINUTE / 2);
    ips.tick();
    await eventsUntil(2);
    expect(learned.map((told) => told.ip)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(echo.asked()).toBe(2);
  });

  test('an exit that no session uses any more is left to be forgotten', async () => {
    const echo = await startEcho();
    const upstream = await openSticky({ stickyMs: 10 * MINUTE, countsFrom: 'use' });
    const { ips, clock, eventsUntil } = openIps([upstream], echo.url);
    ips.used(upstream, 'abcdefghij');
    await eventsUntil(1);
    clock.advance(31 * MINUTE);
    ips.tick();
    expect(echo.asked()).toBe(1);
  });

  test('the addresses of a prefix are known without being asked for', async () => {
    const echo = await startEcho();
    const upstream = openUpstream('local://127.0.4.0/24');
    const { ips, events } = openIps([upstream], echo.url);
    ips.listed([upstream]);
    ips.used(upstream, '127.0.4.7');
    ips.tick();
    expect(echo.asked()).toBe(0);
    expect(events).toEqual([]);
  });

  test('an upstream that takes the place of another of its ID is asked anew', async () => {
    const echo = await startEcho();
    const first = await openProxied();
    const { ips, learned, eventsUntil } = openIps([first], echo.url);
    ips.listed([first]);
    await eventsUntil(1);
    ips.listed([openUpstream(`http://${first.id}`)]);
    await eventsUntil(2);
    expect(learned.map(({ upstreamId }) => upstreamId)).toEqual([first.id, first.id]);
  });

  test('an upstream that is down is asked when it is back', async () => {
    const echo = await startEcho();
    const upstream = await openProxied();
    const { ips, learned, eventsUntil, down } = openIps([upstream], echo.url);
    down.add(upstream.id);
    ips.listed([upstream]);
    expect(echo.asked()).toBe(0);
    down.clear();
    ips.cameBack(upstream.id);
    await eventsUntil(1);
    expect(learned).toHaveLength(1);
  });

  test('no more than eight are asked at a time, and all in the end', async () => {
    let open = 0;
    let most = 0;
    const echo = await startEcho((req, res) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        res.end(req.socket.remoteAddress);
      });
    });
    const upstream = await openSticky();
    const { ips, eventsUntil, learned } = openIps([upstream], echo.url);
    for (let exit = 0; exit < 40; exit += 1) ips.used(upstream, `exit${exit}`);
    await eventsUntil(40);
    expect(most).toBeLessThanOrEqual(8);
    expect(new Set(learned.map(({ exit }) => exit)).size).toBe(40);
  });
});

describe('what does not answer with an address', () => {
  for (const [name, listener] of [
    ['a page', (_, res) => res.end('<html>hello</html>')],
    ['an error', (_, res) => res.writeHead(500).end('192.0.2.1')],
    ['nothing', (req) => req.socket.destroy()],
  ] as const satisfies readonly (readonly [string, RequestListener])[]) {
    test(`is told of once: ${name}`, async () => {
      const echo = await startEcho(listener);
      const upstream = openUpstream('direct://');
      const { ips, clock, events, learned, eventsUntil } = openIps([upstream], echo.url);
      ips.listed([upstream]);
      await eventsUntil(1);
      expect(events[0]).toMatchObject({ type: 'upstream.ip-unknown', upstream: 'direct', exit: undefined });
      clock.advance(60 * MINUTE);
      // The next question is asked as soon as the last one has ended.
      while (echo.asked() < 2) {
        ips.tick();
        // oxlint-disable-next-line no-await-in-loop
        await new Promise(setImmediate);
      }
      expect(events).toHaveLength(1);
      expect(learned).toEqual([]);
    });
  }

  test('is told of without the credentials of the upstream', async () => {
    const upstream = openUpstream(`http://user:secretpw@127.0.0.1:${await closedPort()}`);
    const { ips, eventsUntil } = openIps([upstream], 'http://127.0.0.1:9/ip');
    ips.listed([upstream]);
    expect(JSON.stringify(await eventsUntil(1))).not.toContain('secretpw');
  });
});
