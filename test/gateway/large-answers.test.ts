// Large answers through one gateway at once: what is read into memory that all connections use is never another one's.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { API_KEY, startGateway, startTarget } from '../support/gateway.js';
import { TRUSTING } from '../support/intercepted.js';
import { createHttpProxy } from '../support/proxy-http.js';

const MIB = 1024 * 1024;
const BODIES = Array.from({ length: 24 }, (_, index) => randomBytes(3 * MIB + index));
const DIGESTS = BODIES.map((body) => createHash('sha256').update(body).digest('hex'));

async function digestOf(answer: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  answer.on('data', (chunk: Buffer) => hash.update(chunk));
  await once(answer, 'end');
  return hash.digest('hex');
}

/** How clients speak to the gateway. */
const SPOKEN = {
  'to clients': { secure: false, get: http.get, Agent: http.Agent },
  'to clients over TLS': { secure: true, get: https.get, Agent: https.Agent },
} as const;

for (const [framing, fields] of [
  ['of stated length', (body: Buffer) => ({ 'Content-Length': String(body.length) })],
  ['in chunks', () => ({ 'Transfer-Encoding': 'chunked' })],
] as const) {
  for (const [way, whom] of [
    ['from this machine', 'to clients'],
    ['from this machine', 'to clients over TLS'],
    ['through a proxy', 'to clients'],
  ] as const) {
    test(`bodies ${framing} ${way} ${whom} come byte for byte, whoever reads slowly`, async () => {
      const { secure, get, Agent } = SPOKEN[whom];
      const target = await startTarget((req, res) => {
        const body = BODIES[Number(req.url?.slice(1))] ?? Buffer.alloc(0);
        res.writeHead(200, fields(body)).end(body);
      });
      const proxy = await createHttpProxy();
      onTestFinished(() => proxy.close());
      const upstreams = [way === 'from this machine' ? 'local://127.0.0.2' : `http://127.0.0.1:${proxy.port}`];
      const { gateway } = await startGateway({ upstreams, ...(secure && { ...TRUSTING, tlsPort: 0 }) });
      const { port } = new URL((secure ? gateway.tlsUrl : gateway.url) ?? '');
      const agent = new Agent({ keepAlive: true, maxSockets: BODIES.length, rejectUnauthorized: false });
      onTestFinished(() => agent.destroy());
      const ask = async (index: number): Promise<IncomingMessage> => {
        const headers = { 'Proxy-Authorization': `Basic ${btoa(`${API_KEY}:`)}` };
        const asked = get({ agent, port, path: `${target.url}/${index}`, headers });
        return ((await once(asked, 'response')) as [IncomingMessage])[0];
      };
      // Again over the same connections, of which one or another has a large body behind it.
      for (let round = 0; round < 2; round += 1) {
        const answers = await Promise.all(BODIES.map((_, index) => ask(index)));
        // The slow ones take nothing before the fast ones are through.
        const fast = await Promise.all(answers.filter((_, index) => index % 2 === 1).map(digestOf));
        const slow = await Promise.all(answers.filter((_, index) => index % 2 === 0).map(digestOf));
        expect(fast).toEqual(DIGESTS.filter((_, index) => index % 2 === 1));
        expect(slow).toEqual(DIGESTS.filter((_, index) => index % 2 === 0));
      }
    });
  }
}
