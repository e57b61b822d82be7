// Hundreds of clients that drop their tunnels at whatever stage, beside one that behaves: all its requests succeed, and
// nothing of the others stays.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { SessionsClient } from '../../src/client/index.js';
import { connections } from '../support/connections.js';
import { API_KEY, startGateway, type TestGateway } from '../support/gateway.js';
import { clientHello, getInside, startClientTls, startSecureTarget, TRUSTING, until } from '../support/intercepted.js';
import { proxyAuth, sendConnect } from '../support/raw-client.js';

const TUNNELS = 500;
const AT_A_TIME = 50;

/** Thousands of handshakes on a machine that may be busy with other things. */
const PATIENCE_MS = 180_000;

/** Small numbers that are the same in each run. */
function createDice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % sides;
  };
}

/** Everything that nobody has caught, while the test runs. */
function watchUncaught(): readonly unknown[] {
  const uncaught: unknown[] = [];
  const keep = (error: unknown): void => void uncaught.push(error);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, keep);
    onTestFinished(() => void process.off(event, keep));
  }
  return uncaught;
}

/** What a client may have sent in its tunnel when it drops it; each gives the connections it may drop. */
const STAGES: readonly ((socket: Socket, hello: Buffer, cut: number) => Promise<readonly Socket[]>)[] = [
  async (socket) => [socket],
  async (socket, hello, cut) => said(socket, hello.subarray(0, cut % hello.length)),
  async (socket, hello) => said(socket, hello),
  async (socket, _, cut) => said(socket, Buffer.alloc(cut, 'nonsense\u0000')),
  async (socket) => said(socket, Buffer.from('GET /slow HTTP/1.1\r\nHost: x\r\nX-Cra')),
  async (socket) => [await startClientTls(socket), socket],
  (socket, _, cut) => saidInside(socket, `GET /slow HTTP/1.1\r\nHost: x\r\n${'\r\n'.repeat(cut % 2)}`),
  (socket) => saidInside(socket, 'GET /slow HTTP/1.1\r\nHost: x\r\nX-Crawlera-Session: create\r\n\r\n'.repeat(3)),
  (socket, _, cut) =>
    saidInside(socket, `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n${'x'.repeat(cut * 100)}`),
  (socket) => saidInside(socket, 'GET /large HTTP/1.1\r\nHost: x\r\n\r\n'),
  (socket) => saidInside(socket, 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
];

function said(socket: Socket, bytes: Buffer): readonly Socket[] {
  socket.write(bytes);
  return [socket];
}

async function saidInside(socket: Socket, bytes: string): Promise<readonly Socket[]> {
  const secured = await startClientTls(socket);
  secured.write(bytes);
  return [secured, socket];
}

async function dropOne(port: number, authority: string, dice: (sides: number) => number): Promise<void> {
  const hello = await clientHello();
  const { socket } = await sendConnect(port, authority);
  const sides = await (STAGES[dice(STAGES.length)] ?? STAGES[0])?.(socket, hello, dice(500));
  for (let turns = dice(20); turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
  const inner = sides?.[0] ?? socket;
  inner.once('end', () => inner.end()).resume();
  if (dice(3) === 0) inner.end();
  else if (dice(2) === 0) socket.destroy();
  else socket.resetAndDestroy();
}

/** Asks again and again until told to stop. @returns the statuses */
async function behave(port: number, authority: string, goesOn: () => boolean): Promise<number[]> {
  const statuses: number[] = [];
  while (goesOn()) {
    const { socket } = await sendConnect(port, authority);
    const secured = await startClientTls(socket);
    for (let index = 0; index < 5; index += 1) statuses.push((await getInside(secured)).status);
    secured.destroy();
  }
  return statuses;
}

async function untilNoneInUse({ url }: TestGateway): Promise<void> {
  const client = new SessionsClient(url.replace('//', `//${API_KEY}:@`));
  for (;;) {
    const { sessions } = await client.list();
    if (sessions.every(({ expiresAt }) => expiresAt !== null)) return;
  }
}

test(
  `${TUNNELS} tunnels that are dropped at random leave nothing behind, and a client beside them sees nothing of it`,
  { timeout: PATIENCE_MS },
  async () => {
    const uncaught = watchUncaught();
    const target = await startSecureTarget((req, res) => {
      res.setHeader('Connection', 'close');
      if (req.url === '/slow') setTimeout(() => res.end('slow'), 20);
      else res.end(req.url === '/large' ? Buffer.alloc(500_000) : 'ok');
    });
    const gateway = await startGateway({ ...TRUSTING, maxConnections: 10_000, drainTimeout: '50s' });
    const before = connections();
    const dice = createDice(20_261_122);
    let goesOn = true;
    const behaving = behave(gateway.port, target.authority, () => goesOn);
    for (let done = 0; done < TUNNELS; done += AT_A_TIME) {
      const group = Array.from({ length: AT_A_TIME }, () => dropOne(gateway.port, target.authority, dice));
      await Promise.allSettled(group);
    }
    goesOn = false;
    const statuses = await behaving;
    expect(statuses.length).toBeGreaterThan(10);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    await until(() => connections() <= before);
    await untilNoneInUse(gateway);
    const count = (type: string): number => gateway.events.filter((event) => event.type === type).length;
    expect(count('use.settled')).toBe(count('use.started'));
    expect(gateway.gateway.heldUses).toBe(0);
    expect(count('gateway.failure')).toBe(0);
    expect(uncaught).toEqual([]);
  },
);

test('requests that are dropped count no longer: as many as allowed can still run', async () => {
  const target = await startSecureTarget((req, res) => void (req.url === '/hang' || res.end('ok')));
  const { port } = await startGateway({ ...TRUSTING, maxConnections: 2 });
  for (let index = 0; index < 20; index += 1) {
    const arrived = target.arrivals.length + 1;
    const { socket } = await sendConnect(port, target.authority);
    const secured = await startClientTls(socket);
    secured.write('GET /hang HTTP/1.1\r\nHost: x\r\n\r\n');
    let status = 0;
    await until(() => target.arrivals.length === arrived);
    socket[index % 2 === 0 ? 'destroy' : 'resetAndDestroy']();
    const next = await startClientTls((await sendConnect(port, target.authority)).socket);
    // The leaving of the other one may be a moment behind.
    while (status !== 200) ({ status } = await getInside(next));
    next.destroy();
  }
  const pair = await Promise.all(
    [0, 1].map(async () => startClientTls((await sendConnect(port, target.authority)).socket)),
  );
  let statuses: number[] = [];
  while (statuses.some((status) => status !== 200) || statuses.length === 0) {
    statuses = (await Promise.all(pair.map((secured) => getInside(secured)))).map(({ status }) => status);
  }
  expect(statuses).toEqual([200, 200]);
});

test('memory stays as it is over thousands of intercepted connections', { timeout: PATIENCE_MS }, async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const target = await startSecureTarget();
  const gateway = await startGateway(TRUSTING);
  const visit = (): Promise<void> => visitOnce(gateway.port, target.authority);
  const visitTimes = async (times: number): Promise<void> => {
    for (let done = 0; done < times; done += 20) await Promise.all(Array.from({ length: 20 }, visit));
  };
  await visitTimes(300);
  const before = used();
  await visitTimes(1200);
  // The events and arrivals that the test keeps are some 1 KB each time; a TLS connection is 50.
  expect(used() - before).toBeLessThan(1200 * 3000);
});

/** Asks for something in a tunnel of its own, and keeps nothing of it: the helpers keep connections to close them. */
function visitOnce(port: number, authority: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', reject);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\n${proxyAuth()}\r\n`);
    socket.once('data', () => {
      const secured = tls.connect({ socket, rejectUnauthorized: false });
      secured.on('error', reject).once('close', () => resolve());
      secured.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      // In a turn of its own, as in `startClientTls`.
      secured.once('data', () => setImmediate(() => secured.destroy()));
    });
  });
}
