// Upstreams that break, of each kind and in each way, under load: every client is told so within its time, nothing goes out
// another way, nothing is left behind, and the gateway serves on.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Fault, FAULTS, PROXY_KINDS, type ProxyKind, startFaultyUpstream } from '../support/faulty-upstream.js';
import { connections } from '../support/connections.js';
import { startGateway, startTarget, type TestTarget } from '../support/gateway.js';
import { enterTunnel, getInside, TRUSTING, until } from '../support/intercepted.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { openRaw, proxyAuth, type RawAnswer, readAnswer, sendConnect, sendGet } from '../support/raw-client.js';

const CONNECT_MS = 1500;
const RESPONSE_MS = 800;
/** What a client may be kept beyond its time on a machine that is busy. */
const SLACK_MS = 4000;
const CLIENTS = 4;

/** What clients may be told: the failure itself, or, once it has been seen often enough, that no upstream is usable. */
const NOT_USABLE = 'noslaves';
const TOLD: Readonly<Record<Fault, readonly string[]>> = {
  'refuses connections': ['econnrefused'],
  'hangs before a word': ['timeout'],
  'resets before a word': ['econnreset', 'socket_closed_remotely'],
  'closes before a word': ['socket_closed_remotely', 'econnreset', 'send_failed'],
  'hangs once asked': ['timeout'],
  'resets once asked': ['econnreset', 'socket_closed_remotely'],
  'closes once asked': ['socket_closed_remotely', 'econnreset', 'send_failed'],
  'drips its answer': ['timeout', 'send_failed'],
  'answers garbage': ['send_failed', 'ehostunreach'],
  'speaks another protocol': ['send_failed', 'ehostunreach'],
  'refuses what it is asked': ['ehostunreach', 'send_failed', 'econnrefused'],
  'agrees and closes': ['socket_closed_remotely', 'econnreset', 'send_failed'],
  'agrees and resets': ['econnreset', 'socket_closed_remotely', 'send_failed'],
  'agrees and hangs': ['timeout'],
};

/** What came of a request: the gateway's code, the status of an answer that was passed on, or how a tunnel ended. */
interface Outcome {
  readonly told: string;
  readonly tookMs: number;
}

async function timed(run: () => Promise<string>): Promise<Outcome> {
  const startedMs = performance.now();
  const told = await run();
  return { told, tookMs: performance.now() - startedMs };
}

const wordOf = (answer: RawAnswer): string => answer.header('X-Crawlera-Error') ?? String(answer.status);

/** Each way traffic takes, as a client sees it. */
const WAYS: Readonly<Record<string, (port: number, target: TestTarget) => Promise<string>>> = {
  plain: async (port, { url }) => wordOf(await sendGet(port, url)),
  'in a session': async (port, { url }) => wordOf(await sendGet(port, url, 'X-Crawlera-Session: create\r\n')),
  tunnel: async (port, target) => {
    const { socket, answer } = await sendConnect(port, `127.0.0.1:${target.port}`, { password: 'session-a' });
    if (answer.status !== 200) return wordOf(answer);
    // It was opened to nothing: what is sent into it must come to an end, or to nothing, but never to an answer.
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const end = readAnswer(socket).then(wordOf, () => 'closed');
    return Promise.race([end, sleep(RESPONSE_MS).then(() => 'silent')]);
  },
  intercepted: async (port, target) => {
    const inside = await enterTunnel(port, `127.0.0.1:${target.port}`);
    return wordOf(await getInside(inside));
  },
};

/** Tunnels and plain requests that a proxy answers itself are passed on as they are: only its own word can be checked. */
function isAllowed(told: string, { way, kind, fault }: { way: string; kind: ProxyKind; fault: Fault }): boolean {
  if (told === NOT_USABLE || TOLD[fault].includes(told)) return true;
  if (way === 'tunnel' && fault.startsWith('agrees')) return told === 'closed' || told === 'silent';
  const isAsked = (kind === 'http' || kind === 'https') && (way === 'plain' || way === 'in a session');
  // To a plain request, what an HTTP proxy says is the target's answer, as far as anybody can tell.
  if (isAsked && fault === 'refuses what it is asked') return told === '502';
  if (isAsked && fault.startsWith('agrees')) return told === '200';
  // The start of TLS is what `agrees and closes` breaks off.
  return fault.startsWith('agrees') && way === 'intercepted' && told === 'bad_cert';
}

for (const kind of PROXY_KINDS) {
  describe(`an ${kind} proxy that`, () => {
    for (const fault of FAULTS) {
      test(`${fault}: each client is told in time, and no target is contacted`, async () => {
        const target = await startTarget();
        const faulty = await startFaultyUpstream(kind, fault);
        const { port, events } = await startGateway({
          ...TRUSTING,
          upstreams: [faulty.upstream],
          timeouts: { connect: `${CONNECT_MS}ms`, response: `${RESPONSE_MS}ms` },
          retries: { default: 0 },
        });
        const clients = Object.entries(WAYS).flatMap(([way, ask]) =>
          Array.from({ length: CLIENTS }, async () => ({ way, ...(await timed(() => ask(port, target))) })),
        );
        const outcomes = await Promise.all(clients);
        for (const { way, told, tookMs } of outcomes) {
          expect(isAllowed(told, { way, kind, fault }), `${way}: ${told}`).toBe(true);
          expect(tookMs).toBeLessThan(CONNECT_MS + RESPONSE_MS + SLACK_MS);
        }
        expect(outcomes.some(({ told }) => told !== NOT_USABLE)).toBe(true);
        expect(target.connections()).toBe(0);
        expect(events.filter(({ type }) => type === 'gateway.failure')).toEqual([]);
      });
    }
  });
}

test('nothing is left of connections to upstreams that broke', async () => {
  const target = await startTarget();
  const faulty = await Promise.all(
    PROXY_KINDS.flatMap((kind) =>
      (['hangs before a word', 'agrees and hangs', 'drips its answer'] as const).map((fault) =>
        startFaultyUpstream(kind, fault),
      ),
    ),
  );
  const before = connections();
  const { port, gateway } = await startGateway({
    ...TRUSTING,
    upstreams: faulty.map(({ upstream }) => upstream),
    timeouts: { connect: `${CONNECT_MS}ms`, response: `${RESPONSE_MS}ms` },
    retries: { default: 3 },
  });
  await Promise.all(Array.from({ length: 60 }, () => sendGet(port, target.url)));
  await until(() => faulty.every(({ open }) => open() === 0));
  await gateway.close();
  await until(() => connections() <= before);
  expect(target.connections()).toBe(0);
});

test('a client that is in the middle of an answer when its upstream dies sees the answer broken, not complete', async () => {
  const target = await startTarget((_, res) => {
    res.writeHead(200, { 'Content-Length': '1000' });
    res.write('x'.repeat(500));
  });
  const proxy = await createHttpProxy();
  const { port } = await startGateway({ upstreams: [`http://127.0.0.1:${proxy.port}`], retries: { default: 5 } });
  const host = new URL(target.url).host;
  const socket = openRaw(port, `GET ${target.url}/ HTTP/1.1\r\nHost: ${host}\r\n${proxyAuth()}\r\n`);
  const text = await new Promise<string>((resolve) => {
    let seen = '';
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.endsWith('x'.repeat(500))) void proxy.close();
    });
    for (const event of ['end', 'close'] as const) socket.once(event, () => resolve(seen));
  });
  expect(text).toContain('Content-Length: 1000');
  expect(text.split('\r\n\r\n')[1]).toHaveLength(500);
  expect(target.arrivals).toHaveLength(1);
});

test('an upstream that is killed under load fails every client in time, and serves again once it is back', async () => {
  const target = await startTarget();
  const first = await createHttpProxy();
  const { port, event } = await startGateway({
    upstreams: [`http://127.0.0.1:${first.port}`],
    timeouts: { connect: `${CONNECT_MS}ms`, response: `${RESPONSE_MS}ms` },
    retries: { default: 0 },
  });
  const served = new Set<string>();
  const over = new AbortController();
  const clients = Array.from({ length: 20 }, async () => {
    while (!over.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop
      const { told, tookMs } = await timed(async () => wordOf(await sendGet(port, target.url)));
      served.add(told);
      expect(tookMs).toBeLessThan(CONNECT_MS + RESPONSE_MS + SLACK_MS);
    }
  });
  await until(() => target.arrivals.length > 100);
  await first.close();
  await event(({ type }) => type === 'upstream.down');
  const seenWhileDown = target.connections();
  await until(() => served.has(NOT_USABLE));
  expect(target.connections()).toBe(seenWhileDown);
  served.clear();
  const second = await createHttpProxy({ port: first.port });
  onTestFinished(() => second.close());
  await event(({ type }) => type === 'upstream.up');
  await until(() => served.has('200'));
  over.abort();
  await Promise.all(clients);
});
