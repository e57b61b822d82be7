// Runs in a network of its own, as `local-prefix-ipv6.test.ts` starts it: leaves from the prefix it is given to a target
// on ::1, and writes as JSON which addresses were drawn, and which the target saw.

import { once } from 'node:events';
import net from 'node:net';

import { createUpstream } from '../../src/upstreams/create-upstreams.js';
import { createTargetPolicy } from '../../src/upstreams/target-policy.js';
import { resolveUpstream } from '../../src/upstreams/upstream-url.js';

const seen: (string | undefined)[] = [];
const server = net.createServer((socket) => {
  seen.push(socket.remoteAddress);
  socket.end();
});
server.listen(0, '::1');
await once(server, 'listening');
const address = server.address();
if (address === null || typeof address === 'string') throw new Error('the server has no port');

const upstream = createUpstream(resolveUpstream(process.argv[2] ?? ''), {
  policy: createTargetPolicy({ allowPrivate: true, isOwnAddress: () => false }),
  connectTimeoutMs: 5_000,
  responseTimeoutMs: 5_000,
});
const drawn: (string | undefined)[] = [];
for (const seed of ['1', '2', '3', '1']) {
  const exit = upstream.exits?.draw(seed).exit;
  drawn.push(exit);
  const one = upstream.exits?.through(exit ?? '') ?? upstream;
  const socket = await one.dial({ host: '::1', port: address.port }, new AbortController().signal);
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
}
await upstream.close();
server.close();
process.stdout.write(JSON.stringify({ drawn, seen }));
