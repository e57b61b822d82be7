// Run as a program, because Node reads NODE_EXTRA_CA_CERTS when it starts: asks a target over TLS and prints what came
// of it. Arguments: the port, then the names to verify.

import { text } from 'node:stream/consumers';

import { GatewayError } from '../../src/sessions/errors.js';
import { createUpstream } from '../../src/upstreams/create-upstreams.js';
import { createTargetPolicy } from '../../src/upstreams/target-policy.js';
import { resolveUpstream } from '../../src/upstreams/upstream-url.js';

const [port, ...names] = process.argv.slice(2);
const policy = createTargetPolicy({ allowPrivate: true, isOwnAddress: () => false });
const options = { policy, connectTimeoutMs: 5_000, responseTimeoutMs: 5_000 };
const upstream = createUpstream(resolveUpstream('direct://'), options);

async function ask(servername: string): Promise<string> {
  const answer = await upstream.request({
    method: 'GET',
    target: { host: '127.0.0.1', port: Number(port) },
    path: `/${servername}`,
    headers: ['Host', servername],
    body: undefined,
    signal: new AbortController().signal,
    onSent: () => {},
    secure: { servername, verify: true },
  });
  await text(answer);
  return String(answer.statusCode);
}

for (const name of names) {
  const told = await ask(name).catch((error: unknown) => (error instanceof GatewayError ? error.message : 'other'));
  process.stdout.write(`${name}: ${told}\n`);
}
await upstream.close();
