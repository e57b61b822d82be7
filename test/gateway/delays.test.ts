import { describe, expect, test } from 'vitest';
import { startGateway, startTarget, type TestTarget } from '../support/gateway.js';
import { readAnswer, sendConnect, sendGet } from '../support/raw-client.js';

const DELAY_MS = 300;
/** What an arrival may be late by on a busy machine. */
const LATE_MS = 150;
/** The target runs in this process too, and may note an arrival late: the gap behind it looks that much shorter. */
const EARLY_MS = 10;

const create = 'X-Crawlera-Session: create\r\n';

async function newSession(port: number, target: TestTarget): Promise<string> {
  const answer = await sendGet(port, target.url, create);
  return answer.header('X-Crawlera-Session') ?? '';
}

function gapsOf(target: TestTarget, from = 0): number[] {
  const times = target.arrivals.slice(from).map(({ atMs }) => atMs);
  return times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
}

function expectSpaced(gaps: readonly number[], earlyMs = EARLY_MS): void {
  for (const gap of gaps) {
    expect(gap).toBeGreaterThanOrEqual(DELAY_MS - earlyMs);
    expect(gap).toBeLessThan(DELAY_MS + LATE_MS);
  }
}

// Real time on a machine that may be busy with other things: once more where it was.
describe('uses of one outgoing IP', { retry: 1 }, () => {
  test('five requests at once in a session start one delay apart, however slow the target', async () => {
    const target = await startTarget((_, res) => void setTimeout(() => res.end('slow'), 2 * DELAY_MS));
    const { port } = await startGateway({ delays: { default: '300ms' } });
    const id = await newSession(port, target);
    await Promise.all([1, 2, 3, 4, 5].map((n) => sendGet(port, `${target.url}/${n}`, `X-Crawlera-Session: ${id}\r\n`)));
    expect(target.arrivals).toHaveLength(6);
    expectSpaced(gapsOf(target, 1));
  });

  test('starts that are late do not catch up on each other', async () => {
    const target = await startTarget();
    const { port } = await startGateway({ delays: { default: '30ms' }, upstreams: ['local://127.0.0.2'] });
    const requests = Promise.all(Array.from({ length: 30 }, () => sendGet(port, target.url)));
    while (target.arrivals.length < 5) await new Promise((resolve) => setImmediate(resolve));
    const blockedUntilMs = performance.now() + 200;
    while (performance.now() < blockedUntilMs);
    await requests;
    const gaps = gapsOf(target).toSorted((a, b) => a - b);
    // The one arrival that was itself noted late makes the gap behind it look short.
    expect(gaps[1]).toBeGreaterThanOrEqual(30 - EARLY_MS);
  });

  test('requests one after the other are one delay apart', async () => {
    const [{ port }, target] = [await startGateway({ delays: { default: '300ms' } }), await startTarget()];
    const id = await newSession(port, target);
    for (let index = 0; index < 4; index += 1) await sendGet(port, target.url, `X-Crawlera-Session: ${id}\r\n`);
    expectSpaced(gapsOf(target));
  });

  test('CONNECTs too: the first two of a host are one use, the others one delay apart', async () => {
    const [{ port }, target] = [await startGateway({ delays: { default: '300ms' } }), await startTarget()];
    const authority = `127.0.0.1:${target.port}`;
    const opened = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const { socket } = await sendConnect(port, authority, { password: 'session-a' });
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
        return readAnswer(socket);
      }),
    );
    expect(opened).toHaveLength(4);
    const [shared, ...rest] = gapsOf(target);
    expect(shared).toBeLessThan(LATE_MS);
    // The gateway opens tunnels a delay apart; when the first request comes through one is the client's doing.
    expectSpaced(rest, 30);
  });

  test('two sessions on one IP share its clock, two IPs have one each', async () => {
    const target = await startTarget();
    const { port } = await startGateway({
      delays: { default: '300ms' },
      upstreams: ['local://127.0.0.2', 'local://127.0.0.3'],
    });
    const ids = [await newSession(port, target), await newSession(port, target), await newSession(port, target)];
    expect(target.arrivals.map(({ fromIp }) => fromIp.slice(-1))).toEqual(['2', '3', '2']);
    const [first = 0, second = 0, third = 0] = target.arrivals.map(({ atMs }) => atMs);
    expect(second - first).toBeLessThan(LATE_MS);
    expectSpaced([third - first]);
    expect(new Set(ids).size).toBe(3);
  });

  test('a domain may have its own delay', async () => {
    const target = await startTarget();
    const { port } = await startGateway({
      delays: { default: 0, domains: { localhost: '300ms' } },
      upstreams: ['local://127.0.0.2'],
    });
    await Promise.all([1, 2, 3].map(() => sendGet(port, `http://localhost:${target.port}/`)));
    expect(target.arrivals).toHaveLength(3);
    expectSpaced(gapsOf(target));
  });
});

describe('what is told of the delay', () => {
  test('from the soft limit on, the answer carries the calculated delay in whole seconds', async () => {
    const target = await startTarget();
    const { port } = await startGateway({
      delays: { default: '300ms', softLimit: '200ms' },
      upstreams: ['local://127.0.0.2'],
    });
    const answers = await Promise.all([1, 2, 3].map(() => sendGet(port, target.url)));
    const told = answers.map((answer) => answer.header('X-Crawlera-Next-Request-In'));
    expect(told).toEqual([undefined, '1', '1']);
  });

  test('past the longest hold it is 503 serverbusy with Retry-After, and the target is not contacted', async () => {
    const target = await startTarget();
    const { port } = await startGateway({
      delays: { default: '90s', maxHold: '60s', softLimit: '60s' },
      upstreams: ['local://127.0.0.2'],
    });
    await sendGet(port, target.url);
    const answer = await sendGet(port, target.url, create);
    expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([503, 'serverbusy']);
    expect(answer.header('Retry-After')).toBe('90');
    expect(answer.header('X-Crawlera-Next-Request-In')).toBe('90');
    expect(answer.header('X-Crawlera-Session')).toBeUndefined();
    const tunnel = await sendConnect(port, `127.0.0.1:${target.port}`, { password: 'session-a' });
    expect([tunnel.answer.status, tunnel.answer.header('X-Crawlera-Error')]).toEqual([503, 'serverbusy']);
    expect(target.arrivals).toHaveLength(1);
  });
});
