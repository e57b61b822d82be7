import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

import { createUpstreamWithExits } from '../../src/upstreams/exits.js';
import type { Upstream } from '../../src/upstreams/upstream.js';
import { createHttpTarget } from '../support/target-http.js';
import { createRawTarget } from '../support/target-raw.js';
import type { RawTarget } from '../support/target-raw.js';
import { closeLater, dial, failureOf, openUpstream, send, upgrade } from './open-upstream.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const IDENTITY = { id: 'many', name: 'many', outgoingIp: 'many', country: 'nl', state: undefined, city: undefined };

/** Exits that are addresses of this machine; keeps which were opened. */
function openMany(maxUnused?: number) {
  const opened: string[] = [];
  const upstream = createUpstreamWithExits({
    identity: IDENTITY,
    draw: (seed) => ({ exit: `127.0.4.${seed.length}`, outgoingIp: `127.0.4.${seed.length}` }),
    outgoingIpOf: (exit) => exit,
    open: (exit) => {
      opened.push(exit);
      return openUpstream(`local://${exit}`);
    },
    maxUnused,
  });
  const through = (exit: string): Upstream => {
    if (upstream.exits === undefined) throw new Error('expected exits');
    return upstream.exits.through(exit);
  };
  return { upstream: closeLater(upstream), opened, through };
}

/** A target that answers requests as they come, on connections that stay open. */
async function openTarget(answer = OK): Promise<RawTarget> {
  return closeLater(await createRawTarget(({ socket }) => void socket.on('data', () => socket.write(answer))));
}

describe('an exit', () => {
  test('is the same object each time, and known by its own outgoing IP', () => {
    const { through } = openMany();
    expect(through('127.0.4.1')).toBe(through('127.0.4.1'));
    expect(through('127.0.4.1')).not.toBe(through('127.0.4.2'));
    expect(through('127.0.4.1')).toMatchObject({ id: 'many', country: 'nl', outgoingIp: '127.0.4.1' });
  });

  test('keeps its connections for its own requests, whoever goes between', async () => {
    const target = closeLater(await createHttpTarget());
    const { through } = openMany();
    for (const exit of ['127.0.4.1', '127.0.4.2', '127.0.4.1', '127.0.4.2']) {
      await text(await send(through(exit), target));
    }
    const from = target.seen.map(({ remoteAddress }) => remoteAddress);
    expect(from).toEqual(['127.0.4.1', '127.0.4.2', '127.0.4.1', '127.0.4.2']);
    const [one, two, three, four] = target.seen.map(({ remotePort }) => remotePort);
    expect([three, four]).toEqual([one, two]);
  });

  test('is opened anew when it was put away, even for who still has it', async () => {
    const target = await openTarget();
    const { through, opened } = openMany(1);
    const first = through('127.0.4.1');
    await text(await send(first, target));
    through('127.0.4.2');
    expect(await text(await send(first, target))).toBe('ok');
    expect(opened).toEqual(['127.0.4.1', '127.0.4.2', '127.0.4.1']);
  });

  test('can be closed alone', async () => {
    const target = await openTarget();
    const { through } = openMany();
    for (const exit of ['127.0.4.1', '127.0.4.2']) await text(await send(through(exit), target));
    await through('127.0.4.1').close();
    await target.connections[0]?.end();
    expect(target.connections[1]?.socket.destroyed).toBe(false);
  });
});

describe('past the bound', () => {
  test('the exit unused longest is put away and its idle connections are closed', async () => {
    const target = await openTarget();
    const { through } = openMany(2);
    for (const exit of ['127.0.4.1', '127.0.4.2', '127.0.4.1', '127.0.4.3']) {
      await text(await send(through(exit), target));
    }
    const [one, two, three] = target.connections;
    await two?.end();
    expect([one?.ended, three?.ended]).toEqual([false, false]);
  });

  test('an exit with a request under way stays, and is put away when that has ended', async () => {
    const target = await openTarget('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
    const { through, opened } = openMany(0);
    const face = through('127.0.4.1');
    const answer = await send(face, target);
    for (const exit of ['127.0.4.2', '127.0.4.3']) through(exit);
    expect(through('127.0.4.1')).toMatchObject({ outgoingIp: '127.0.4.1' });
    const [connection] = target.connections;
    connection?.socket.write('half');
    expect(await text(answer)).toBe('halfhalf');
    await connection?.end();
    expect(opened.filter((exit) => exit === '127.0.4.1')).toHaveLength(2);
  });

  test('an answer that is given up ends its request', async () => {
    const target = await openTarget('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
    const { through, opened } = openMany(0);
    const answer = await send(through('127.0.4.1'), target);
    answer.destroy();
    await once(answer, 'close');
    through('127.0.4.1');
    expect(opened.filter((exit) => exit === '127.0.4.1').length).toBeGreaterThan(2);
  });

  test('a request that fails ends too', async () => {
    const { through, opened } = openMany(1);
    const target = await createRawTarget();
    await target.close();
    expect(await failureOf(send(through('127.0.4.1'), target))).toMatchObject({ code: 'econnrefused' });
    through('127.0.4.2');
    through('127.0.4.1');
    expect(opened).toEqual(['127.0.4.1', '127.0.4.2', '127.0.4.1']);
  });

  test('tunnels and upgraded connections live on', async () => {
    const switches = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n';
    const { through, upstream } = openMany(0);
    const plain = closeLater(await createRawTarget(({ socket }) => socket.pipe(socket)));
    const tunnel = await dial(through('127.0.4.1'), plain);
    const target = closeLater(
      await createRawTarget(({ socket }) =>
        socket.once('data', () => {
          socket.write(switches);
          socket.pipe(socket);
        }),
      ),
    );
    const headers = ['Host', 'h', 'Upgrade', 'echo', 'Connection', 'Upgrade'];
    const { socket } = await upgrade(through('127.0.4.1'), target, { headers });
    for (const exit of ['127.0.4.2', '127.0.4.3']) through(exit);
    await upstream.close();
    for (const one of [tunnel, socket]) one.end('still here');
    expect([await text(tunnel), await text(socket)]).toEqual(['still here', 'still here']);
  });
});

test('closing closes the connections of every exit, those in use included', async () => {
  const target = await openTarget('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
  const idle = await openTarget();
  const { upstream, through } = openMany();
  const answer = await send(through('127.0.4.1'), target);
  await text(await send(through('127.0.4.2'), idle));
  await upstream.close();
  await expect(text(answer)).rejects.toThrow('aborted');
  await idle.connections[0]?.end();
});

test('what leaves through no exit in particular is drawn one', async () => {
  const target = closeLater(await createHttpTarget());
  const { upstream } = openMany();
  await text(await send(upstream, target));
  // The draw here goes by the length of the seed, which is a UUID.
  expect(target.seen[0]?.remoteAddress).toBe('127.0.4.36');
});
