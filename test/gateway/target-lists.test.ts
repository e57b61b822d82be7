import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { startGateway, startTarget } from '../support/gateway.js';
import { createSocksProxy } from '../support/proxy-socks5.js';
import { openRaw, proxyAuth, readAnswer, sendConnect, sendGet } from '../support/raw-client.js';

const FORBIDDEN = [523, 'domain_forbidden'];

function codeOf({ status, header }: { status: number; header: (name: string) => string | undefined }) {
  return [status, header('X-Crawlera-Error')];
}

/** A gateway over a proxy that takes every name to `target`. */
async function startNamed(targets: GatewayOptions['targets'], names: readonly string[]) {
  const proxy = await createSocksProxy({ names: Object.fromEntries(names.map((name) => [name, '127.0.0.1'])) });
  onTestFinished(() => proxy.close());
  const target = await startTarget((_, res) => void res.end('page'));
  const upstreams = [`socks5h://127.0.0.1:${proxy.port}`];
  const { port } = await startGateway({ upstreams, targets: { allowPrivate: true, ...targets } });
  return { port, target, proxy };
}

describe('targets', () => {
  const names = [
    'shop.test',
    'www.shop.test',
    'badshop.test',
    'other.test',
    'xn--bcher-kva.test',
    'a.xn--bcher-kva.test',
  ];

  for (const [name, targets, host, isAllowed] of [
    ['all where no list says otherwise', {}, 'shop.test', true],
    ['those that are allowed', { allow: ['shop.test'] }, 'shop.test', true],
    ['their sub-domains', { allow: ['shop.test'] }, 'www.shop.test', true],
    ['not others', { allow: ['shop.test'] }, 'other.test', false],
    ['not names that end alike', { allow: ['shop.test'] }, 'badshop.test', false],
    ['not a parent', { allow: ['www.shop.test'] }, 'shop.test', false],
    ['none', { allow: [] }, 'shop.test', false],
    ['not those that are denied', { deny: ['shop.test'] }, 'shop.test', false],
    ['nor their sub-domains', { deny: ['*.shop.test'] }, 'www.shop.test', false],
    ['nor in capitals', { deny: ['shop.test'] }, 'WWW.Shop.TEST', false],
    ['nor with a dot behind', { deny: ['shop.test'] }, 'shop.test.', false],
    ['nor in percents', { deny: ['shop.test'] }, '%73hop.test', false],
    ['but others', { deny: ['shop.test'] }, 'other.test', true],
    ['not those that are both', { allow: ['shop.test'], deny: ['www.shop.test'] }, 'www.shop.test', false],
    ['none where all are denied', { deny: ['*'] }, 'shop.test', false],
    ['not a denied name in its own letters', { deny: ['bücher.test'] }, 'a.xn--bcher-kva.test', false],
    ['not a denied address', { deny: ['127.0.0.1'] }, '127.0.0.1', false],
    ['not in decimals', { deny: ['127.0.0.1'] }, '2130706433', false],
    ['not in hexadecimals', { deny: ['127.0.0.1'] }, '0x7f.1', false],
    ['not in short', { deny: ['127.0.0.1'] }, '127.1', false],
    ['not a denied address of the other kind', { deny: ['::1'] }, '[::1]', false],
    ['not in full', { deny: ['::1'] }, '[0:0:0:0:0:0:0:1]', false],
    ['not mapped into the other kind', { deny: ['127.0.0.1'] }, '[::ffff:127.0.0.1]', false],
    ['not where it is allowed in the other kind', { allow: ['127.0.0.1'] }, '[::ffff:7f00:1]', false],
  ] as const satisfies readonly (readonly [string, GatewayOptions['targets'], string, boolean])[]) {
    test(`${name}: ${host} is ${isAllowed ? 'asked' : '523'}`, async () => {
      const { port, target, proxy } = await startNamed(targets, names);
      const answer = await sendGet(port, `http://${host}:${target.port}/`);
      expect(codeOf(answer)).toEqual(isAllowed ? [200, undefined] : FORBIDDEN);
      expect(proxy.asked).toHaveLength(isAllowed ? 1 : 0);
    });
  }
});

describe('what is denied can be had in no way', () => {
  for (const [name, ask] of [
    ['a request', async (port: number, at: string) => sendGet(port, `http://${at}/`)],
    ['a request for https', async (port: number, at: string) => sendGet(port, `https://${at}/`)],
    ['Use-HTTPS', async (port: number, at: string) => sendGet(port, `http://${at}/`, 'X-Crawlera-Use-HTTPS: 1\r\n')],
    ['a session', async (port: number, at: string) => sendGet(port, `http://${at}/`, 'X-Crawlera-Session: create\r\n')],
    ['a tunnel', async (port: number, at: string) => (await sendConnect(port, at, { password: 'session-a' })).answer],
    [
      'an upgrade',
      async (port: number, at: string) =>
        sendGet(port, `http://${at}/`, 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
    ],
    [
      'a request inside a tunnel',
      async (port: number, at: string) => askInside(port, at, `GET / HTTP/1.1\r\nHost: ${at}\r\n\r\n`),
    ],
    [
      'one that names another host',
      async (port: number, at: string) =>
        askInside(port, at, 'GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n'),
    ],
    [
      'an upgrade inside a tunnel',
      async (port: number, at: string) =>
        askInside(port, at, `GET / HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`),
    ],
  ] as const) {
    test(`by ${name}`, async () => {
      const { port, target, proxy } = await startNamed({ deny: ['shop.test'] }, ['shop.test']);
      expect(codeOf(await ask(port, `www.shop.test:${target.port}`))).toEqual(FORBIDDEN);
      expect(proxy.asked).toEqual([]);
    });
  }

  test('by a blind tunnel of a protocol that is none of HTTP', async () => {
    const { port, target, proxy } = await startNamed({ deny: ['shop.test'] }, ['shop.test']);
    const head = `CONNECT shop.test:${target.port} HTTP/1.1\r\n${proxyAuth()}\r\n`;
    const socket = openRaw(port, `${head}\u0000\u0001\u0002`);
    await new Promise((resolve) => socket.once('end', resolve).resume());
    expect(proxy.asked).toEqual([]);
  });

  async function askInside(port: number, authority: string, request: string) {
    const { socket } = await sendConnect(port, authority);
    socket.write(request);
    return readAnswer(socket);
  }
});
