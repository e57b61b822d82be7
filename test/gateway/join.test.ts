import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { join } from '../../src/gateway/join.js';
import { connectTcp } from '../../src/upstreams/connect.js';
import { startGateway } from '../support/gateway.js';
import { sendConnect } from '../support/raw-client.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';
import { createRawTarget } from '../support/target-raw.js';

const MIB = 1024 * 1024;

/** How much of a tunnel may be in memory, beside what the system holds: one large buffer. */
const MAX_HELD_BYTES = 512 * 1024;

/** Two joined connections: what the user sends comes out at the target, and back. */
interface Joined {
  readonly user: Socket;
  readonly client: Socket;
  readonly remote: Socket;
  readonly target: Socket;
  readonly done: Promise<void>;
}

/** Opens a connection; gives both its ends. */
async function connect(open: (port: number) => Promise<Socket>): Promise<readonly [near: Socket, far: Socket]> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const port = await listenOnFreePort(server);
  const [near, [far]] = await Promise.all([open(port), once(server, 'connection') as Promise<[Socket]>]);
  onTestFinished(async () => {
    for (const socket of [near, far]) socket.destroy();
    await closeServer(server);
  });
  return [near, far.on('error', () => undefined)];
}

async function openPlain(port: number): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function openJoined(
  prepare: (target: Socket, remote: Socket) => Promise<void> | void = () => {},
): Promise<Joined> {
  const [user, client] = await connect(openPlain);
  const [remote, target] = await connect((port) =>
    connectTcp({ port, host: '127.0.0.1' }, new AbortController().signal),
  );
  await prepare(target, remote);
  return { user, client, remote, target, done: join(client, remote) };
}

/** The digest of all that comes until the end. */
async function digestOf(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  socket.on('data', (chunk) => hash.update(chunk));
  await once(socket.resume(), 'end');
  return hash.digest('hex');
}

/** Resolves when nothing more comes, in whichever way that was told. */
function endOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['end', 'close'] as const) socket.once(event, () => resolve());
    socket.resume();
  });
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

describe('64 MiB', () => {
  const data = randomBytes(64 * MIB);
  const digest = sha256(data);

  test('from the target come byte for byte', async () => {
    const { user, target } = await openJoined();
    target.end(data);
    expect(await digestOf(user)).toBe(digest);
  });

  test('from the client come byte for byte', async () => {
    const { user, target } = await openJoined();
    user.end(data);
    expect(await digestOf(target)).toBe(digest);
  });

  test('come byte for byte both ways at once', async () => {
    const { user, target } = await openJoined();
    target.end(data);
    user.end(data);
    expect(await Promise.all([digestOf(user), digestOf(target)])).toEqual([digest, digest]);
  });
});

describe('many tunnels at once', () => {
  /** More than there are large buffers. */
  const COUNT = 80;

  test('never get the bytes of another, whoever reads slowly', async () => {
    const tunnels = await Promise.all(Array.from({ length: COUNT }, () => openJoined()));
    const sent = tunnels.map(({ target }) => {
      const data = randomBytes(2 * MIB);
      target.end(data);
      return data;
    });
    const isSlow = (index: number): boolean => index % 2 === 0;
    // The slow ones take nothing before the fast ones are through.
    const fast = await Promise.all(tunnels.filter((_, index) => !isSlow(index)).map(({ user }) => digestOf(user)));
    const slow = await Promise.all(tunnels.filter((_, index) => isSlow(index)).map(({ user }) => digestOf(user)));
    expect(fast).toEqual(sent.filter((_, index) => !isSlow(index)).map(sha256));
    expect(slow).toEqual(sent.filter((_, index) => isSlow(index)).map(sha256));
  });

  test('never get the bytes of another, where many are cut in the middle', async () => {
    const data = randomBytes(8 * MIB);
    for (const round of ['to fill the large buffers', 'to use them again']) {
      const tunnels = await Promise.all(Array.from({ length: COUNT }, () => openJoined()));
      const [kept, ...cut] = tunnels as [Joined, ...Joined[]];
      for (const { target } of tunnels) target.end(data);
      await Promise.all(cut.map(({ remote }) => once(remote, 'pause')));
      for (const { user } of cut) user.destroy();
      await Promise.all(cut.map(({ done }) => done));
      expect([round, await digestOf(kept.user)]).toEqual([round, sha256(data)]);
    }
  });
});

describe('a side that is slow', () => {
  test('stops the target: no more than one buffer is held for a client', async () => {
    const { user, client, remote, target } = await openJoined();
    const data = randomBytes(32 * MIB);
    const heldBytes: number[] = [];
    remote.on('pause', () => heldBytes.push(client.writableLength));
    target.end(data);
    await once(remote, 'pause');
    expect(await digestOf(user)).toBe(sha256(data));
    expect(Math.max(...heldBytes)).toBeGreaterThan(0);
    expect(Math.max(...heldBytes)).toBeLessThanOrEqual(MAX_HELD_BYTES);
  });

  test('stops the client: no more than one buffer is held for a target', async () => {
    const { user, client, remote, target } = await openJoined();
    const data = randomBytes(32 * MIB);
    const heldBytes: number[] = [];
    client.on('pause', () => heldBytes.push(remote.writableLength));
    user.end(data);
    await once(client, 'pause');
    expect(await digestOf(target)).toBe(sha256(data));
    expect(Math.max(...heldBytes)).toBeGreaterThan(0);
    expect(Math.max(...heldBytes)).toBeLessThanOrEqual(MAX_HELD_BYTES);
  });

  test('does not stop what comes from it', async () => {
    const { user, remote, target } = await openJoined();
    target.write(randomBytes(32 * MIB));
    await once(remote, 'pause');
    user.end('still here');
    expect(await digestOf(target)).toBe(sha256(Buffer.from('still here')));
  });
});

describe('what came before the join', () => {
  for (const [name, pieces] of [
    ['a greeting', ['220 hello\r\n']],
    ['many pieces', Array.from({ length: 200 }, (_, index) => `piece ${index};`.repeat(1000))],
  ] as const) {
    test(`goes first: ${name}`, async () => {
      const { user, target } = await openJoined(async (early, remote) => {
        const isThere = once(remote, 'readable');
        for (const piece of pieces) early.write(piece);
        await isThere;
      });
      target.end('and the rest');
      expect(await digestOf(user)).toBe(sha256(Buffer.from(`${pieces.join('')}and the rest`)));
    });
  }

  test('goes first where an upstream proxy sends it in one piece with its answer', async () => {
    const proxy = await createRawTarget(({ socket }) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\nfirst;');
        socket.once('data', () => socket.end(Buffer.concat([Buffer.from('second;'), Buffer.alloc(MIB, 'x')])));
      });
    });
    onTestFinished(() => proxy.close());
    const { port } = await startGateway({ intercept: 'never', upstreams: [`http://127.0.0.1:${proxy.port}`] });
    const { socket, answer } = await sendConnect(port, 'example.com:443');
    socket.write('go on');
    const received: Buffer[] = [Buffer.from(answer.body)];
    socket.on('data', (chunk) => received.push(chunk));
    await once(socket, 'end');
    const bytes = Buffer.concat(received);
    expect([bytes.subarray(0, 13).toString(), bytes.length]).toEqual(['first;second;', MIB + 13]);
  });
});

describe('an end', () => {
  test('of the target is passed on behind all it sent, and the client may still send', async () => {
    const { user, target, done } = await openJoined();
    const data = randomBytes(MIB);
    target.end(data);
    expect(await digestOf(user)).toBe(sha256(data));
    user.end('thank you');
    expect(await digestOf(target)).toBe(sha256(Buffer.from('thank you')));
    await done;
  });

  test('of the client is passed on, and the target may still answer', async () => {
    const { user, target, done } = await openJoined();
    user.end('question');
    expect(await digestOf(target)).toBe(sha256(Buffer.from('question')));
    const data = randomBytes(4 * MIB);
    target.end(data);
    expect(await digestOf(user)).toBe(sha256(data));
    await done;
  });

  test('of the target before the join is passed on', async () => {
    const { user, done } = await openJoined((early) => void early.end('gone'));
    expect(await digestOf(user)).toBe(sha256(Buffer.from('gone')));
    user.end();
    await done;
  });

  test('that comes while the client is slow does not cost it a byte', async () => {
    const { user, remote, target, done } = await openJoined();
    const data = randomBytes(8 * MIB);
    target.end(data);
    target.resume();
    await once(remote, 'pause');
    user.end();
    expect(await digestOf(user)).toBe(sha256(data));
    await done;
  });
});

describe('a reset', () => {
  for (const [name, isBusy] of [
    ['while nothing passes', false],
    ['while the client holds up the target', true],
  ] as const) {
    test(`of the target closes the client, ${name}`, async () => {
      const { user, remote, target, done } = await openJoined();
      if (isBusy) {
        target.write(randomBytes(32 * MIB));
        await once(remote, 'pause');
        // Not read, it would not be noticed before the client takes something.
        user.resume();
      }
      const ended = endOf(user);
      target.resetAndDestroy();
      await ended;
      user.destroy();
      await done;
    });

    test(`of the client closes the target, ${name}`, async () => {
      const { user, remote, target, done } = await openJoined();
      if (isBusy) {
        target.write(randomBytes(32 * MIB));
        await once(remote, 'pause');
      }
      const ended = endOf(target);
      user.resetAndDestroy();
      await Promise.all([done, ended]);
    });
  }
});

test('bytes are counted on both connections', async () => {
  const { user, client, remote, target, done } = await openJoined();
  target.end(randomBytes(3 * MIB));
  await digestOf(user);
  user.end(randomBytes(2 * MIB));
  await digestOf(target);
  await done;
  expect([remote.bytesRead, client.bytesWritten]).toEqual([3 * MIB, 3 * MIB]);
  expect([client.bytesRead, remote.bytesWritten]).toEqual([2 * MIB, 2 * MIB]);
});
