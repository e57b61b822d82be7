// Each kind of upstream through the gateway, for requests and tunnels: the session stays on it, credentials are used and
// never shown, and nothing goes out another way.

import { describe, expect, onTestFinished, test } from 'vitest';
import { startGateway, startTarget } from '../support/gateway.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { readAnswer, sendConnect, sendGet } from '../support/raw-client.js';

const credentials = 'user:pass:word';

interface Ports {
  readonly http: number;
  readonly socks: number;
}

async function startProxies(): Promise<Ports> {
  const [http, socks] = [await createHttpProxy({ credentials }), await createSocksProxy({ credentials })];
  onTestFinished(async () => {
    await http.close();
    await socks.close();
  });
  return { http: http.port, socks: socks.port };
}

describe('a session over', () => {
  for (const [kind, urlOf] of [
    ['an HTTP proxy', ({ http }: Ports) => `http://user:pass%3Aword@127.0.0.1:${http}`],
    ['a SOCKS5 proxy', ({ socks }: Ports) => `socks5://user:pass%3Aword@127.0.0.1:${socks}`],
    ['a local address', () => 'local://127.0.0.9'],
    ['this machine itself', () => 'direct://'],
  ] as const) {
    test(`${kind} serves requests and tunnels`, async () => {
      const ports = await startProxies();
      const target = await startTarget();
      const { port, events } = await startGateway({ upstreams: [urlOf(ports)] });
      const plain = await sendGet(port, `${target.url}/plain`, '', 'session-a');
      const { socket, answer } = await sendConnect(port, target.url.slice(7), { password: 'session-a' });
      socket.write('GET /tunnel HTTP/1.1\r\nHost: x\r\n\r\n');
      expect((await readAnswer(socket)).status).toBe(200);
      expect(answer.header('X-Crawlera-Session')).toBe(plain.header('X-Crawlera-Session'));
      expect(target.arrivals.map(({ url }) => url)).toEqual(['/plain', '/tunnel']);
      expect(target.arrivals[0]?.rawHeaders.join()).not.toMatch(/proxy-|crawlera/i);
      expect(JSON.stringify([plain, answer, events])).not.toContain('word');
    });
  }

  for (const [kind, urlOf] of [
    ['an HTTP proxy', ({ http }: Ports) => `http://user:wrong@127.0.0.1:${http}`],
    ['a SOCKS5 proxy', ({ socks }: Ports) => `socks5://user:wrong@127.0.0.1:${socks}`],
  ] as const) {
    test(`${kind} that refuses our credentials is 502 send_failed, never a 407 of ours`, async () => {
      const ports = await startProxies();
      const target = await startTarget();
      const { port } = await startGateway({ upstreams: [urlOf(ports)] });
      const plain = await sendGet(port, target.url, 'X-Crawlera-Session: create\r\n');
      const { answer } = await sendConnect(port, target.url.slice(7), { password: 'session-a' });
      for (const { status, header, body } of [plain, answer]) {
        expect([status, header('X-Crawlera-Error')]).toEqual([502, 'send_failed']);
        expect(body).not.toContain('wrong');
      }
      expect(target.connections()).toBe(0);
    });
  }

  for (const url of ['http://127.0.0.1:1', 'socks5://127.0.0.1:1']) {
    test(`${url}, which is down, is an error, and nothing goes out another way`, async () => {
      const target = await startTarget();
      const { port } = await startGateway({ upstreams: [url] });
      expect((await sendGet(port, target.url)).header('X-Crawlera-Error')).toBe('econnrefused');
      const { answer } = await sendConnect(port, target.url.slice(7), { password: 'session-a' });
      expect(answer.header('X-Crawlera-Error')).toBe('econnrefused');
      expect(target.connections()).toBe(0);
    });
  }
});
