import { describe, expect, test } from 'vitest';
import { startGateway, startTarget } from '../support/gateway.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { sendConnect, sendGet } from '../support/raw-client.js';

const PRIVATE_HOSTS = [
  '127.0.0.1',
  '127.1',
  '0x7f.1',
  '2130706433',
  '0177.0.0.1',
  '0',
  '0.0.0.0',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '[::1]',
  '[::]',
  '[fe80::1]',
  '[fc00::1]',
  '[ff02::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[2002:7f00:1::]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::1]',
  'localhost',
  'LOCALHOST.',
  'a.localhost',
  '127.0.0.1.',
];

describe('private targets are 523 unless they are allowed', () => {
  for (const host of PRIVATE_HOSTS) {
    test(`${host}, for requests and tunnels, over an address and over a proxy`, async () => {
      const proxy = await createHttpProxy();
      for (const upstreams of [['local://127.0.0.2'], ['direct://'], [`http://127.0.0.1:${proxy.port}`]]) {
        const { port } = await startGateway({ upstreams, targets: { allowPrivate: false } });
        const plain = await sendGet(port, `http://${host}:9/`);
        expect([plain.status, plain.header('X-Crawlera-Error')]).toEqual([523, 'domain_forbidden']);
        const { answer } = await sendConnect(port, `${host}:9`, { password: 'session-a' });
        expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([523, 'domain_forbidden']);
      }
      await proxy.close();
    });
  }

  test('a refused create leaves no session, and is no use', async () => {
    const { port, events } = await startGateway({ targets: { allowPrivate: false } });
    await sendGet(port, 'http://127.0.0.1:9/', 'X-Crawlera-Session: create\r\n');
    expect(events.filter(({ type }) => type === 'session.created')).toEqual([]);
  });
});

describe('the gateway itself is never a target', () => {
  for (const [name, hostOf] of [
    ['its address', () => '127.0.0.1'],
    ['another spelling', () => '2130706433'],
    ['localhost', () => 'localhost'],
    ['the unspecified address', () => '0.0.0.0'],
    ['the mapped address', () => '[::ffff:127.0.0.1]'],
    ['a public name of it', () => 'gateway.example'],
  ] as const) {
    test(`by ${name}, private targets allowed or not`, async () => {
      const { port } = await startGateway({ publicHosts: ['gateway.example'] });
      const plain = await sendGet(port, `http://${hostOf()}:${port}/`);
      expect([plain.status, plain.header('X-Crawlera-Error')]).toEqual([523, 'domain_forbidden']);
      const { answer } = await sendConnect(port, `${hostOf()}:${port}`, { password: 'session-a' });
      expect([answer.status, answer.header('X-Crawlera-Error')]).toEqual([523, 'domain_forbidden']);
    });
  }

  test('other ports of the same address are', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    expect((await sendGet(port, target.url)).status).toBe(200);
  });
});
