// What is between client and gateway stays there: no control header and no credentials reach a target or a proxy on the
// way, whatever else happens; nothing of a target passes for the gateway's own; and no API key is ever told.

import tls from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { API_KEY, startGateway } from '../support/gateway.js';
import { proxyAuth, sendConnect, sendRaw } from '../support/raw-client.js';
import { createRawTarget, RawConnection } from '../support/target-raw.js';
import {
  ALL_WAYS,
  answerHeads,
  answerOnce,
  headOf,
  OK,
  type Scene,
  send,
  startScene,
  STRAIGHT,
  until,
} from './fidelity-ways.js';

const END = '\r\n\r\n';
const TOKEN = Buffer.from(`${API_KEY}:`).toString('base64').replace(/=+$/, '');

/** Anything that must not be seen at a target; nothing of a test's own is called so. */
const OURS = new RegExp(`crawlera|zyte|proxy-|${API_KEY}|${TOKEN}|our-secret`, 'i');

/** Fields of both dialects, known with good values and unknown, in any case. */
const FIELDS = [
  'X-Crawlera-Max-Retries: 1',
  'x-crawlera-timeout: 30000',
  'X-CRAWLERA-COOKIES: disable',
  'X-Crawlera-Profile: pass',
  'X-Crawlera-Profile-Pass: accept',
  'X-Crawlera-No-UA: 1',
  'X-Crawlera-JobId: our-secret',
  'X-Crawlera-Client: our-secret/1',
  'X-Crawlera-Debug: request-time,ua',
  'X-Crawlera-Wait: 1',
  'x-CrAwLeRa-our-secret: 1',
  'X-Crawlera-: our-secret',
  'Zyte-Our-Secret: 1',
  'zYTE-: our-secret',
  'proxy-connection: keep-alive, our-secret',
  'Proxy-Authenticate: our-secret',
  'PROXY-AUTHORIZATION: our-secret',
]
  .map((line) => `${line}\r\n`)
  .join('');

/** All that a target was sent. */
const seenAt = ({ target }: Scene): string => target.connections.map(({ text }) => text).join('');

/** What an answer may have of ours: what the gateway itself tells. */
const TOLD =
  /^X-Crawlera-(?:Version: [\d.]+|Slave: (?:\w+:\/\/)?127\.0\.0\.\d(?::\d+)?|Session: \d{15}|Debug-Request-Time: [\d.]+)$/;

const oursIn = (answer: string): string[] =>
  answer.split('\r\n').filter((line) => /^(?:x-crawlera|zyte|proxy)-/i.test(line) && !TOLD.test(line));

for (const way of ALL_WAYS) {
  describe(way.name, () => {
    test('no field of ours reaches a target, in the head or behind the body', async () => {
      const scene = await startScene(way, (connection) => {
        void connection.received('\r\nZ: 1\r\n\r\n').then(() => send(connection, OK));
      });
      const trailers = FIELDS.replaceAll('X-Crawlera-Max', 'X-Crawlera-Nax');
      const body = `1\r\na\r\n0\r\n${trailers}Z: 1\r\n\r\n`;
      const fields = `${FIELDS}A: 1\r\nTransfer-Encoding: chunked\r\n`;
      await scene.ask({ method: 'POST', fields, body }, '\r\n\r\nok');
      // Those of the upstream proxy are for the proxy, which the target plays here.
      expect(seenAt(scene).replace(/Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n/, '')).not.toMatch(OURS);
      expect(seenAt(scene)).toContain('\r\nA: 1\r\n');
    });

    test('no field that looks like ours reaches a client', async () => {
      const head = `HTTP/1.1 200 OK\r\n${FIELDS}A: 1\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const early = `HTTP/1.1 103 Early\r\n${FIELDS}B: 1\r\n\r\n`;
      const scene = await startScene(way, answerOnce(`${early}${head}1\r\na\r\n0\r\n${FIELDS}Z: 1\r\n\r\n`));
      const got = await scene.ask({}, '\r\nZ: 1\r\n\r\n');
      expect([got.includes('\r\nA: 1\r\n'), got.includes('\r\nB: 1\r\n')]).toEqual([true, true]);
      expect(oursIn(got)).toEqual([]);
    });

    // There it goes through a tunnel, and the target that plays the proxy is asked for one.
    if (way.through === 'proxy' && !way.isSecure) return;
    test('nor in an upgrade, which is switched or declined', async () => {
      for (const answer of [
        `HTTP/1.1 101 Now\r\nUpgrade: x\r\nConnection: Upgrade\r\n${FIELDS}A: 1\r\n\r\n`,
        `HTTP/1.1 200 No\r\n${FIELDS}A: 1\r\nContent-Length: 0\r\n\r\n`,
      ]) {
        const scene = await startScene(way, answerOnce(answer));
        const got = await scene.ask({ fields: `${FIELDS}Upgrade: x\r\nConnection: Upgrade\r\n` }, END);
        expect(got).toContain('\r\nA: 1\r\n');
        expect(oursIn(got)).toEqual([]);
        expect(seenAt(scene)).not.toMatch(OURS);
      }
    });
  });
}

for (const way of STRAIGHT) {
  describe(way.name, () => {
    test('no attempt after the first has more than the first', async () => {
      let answers = 0;
      const { heads, serve } = answerHeads(() => ((answers += 1) < 3 ? OK.replace('200 OK', '403 No') : OK));
      const scene = await startScene(way, serve, {
        upstreams: ['local://127.0.0.2', 'local://127.0.0.3', 'local://127.0.0.4'],
      });
      await scene.ask({ fields: FIELDS.replace('Retries: 1', 'Retries: 5') }, '\r\n\r\nok');
      expect(heads).toHaveLength(3);
      expect(new Set(heads).size).toBe(1);
      expect(seenAt(scene)).not.toMatch(OURS);
    });

    test('no API key and no password is told, in answers and events, whatever goes wrong', async () => {
      const scene = await startScene(way, answerOnce('nonsense'), {
        limits: { requestBytes: 10 },
        upstreams: ['http://our-secret:our-secret@127.0.0.1:9'],
      });
      const answers = [];
      for (const fields of [
        '',
        'X-Crawlera-Session: 5\r\n',
        'X-Crawlera-Timeout: x\r\n',
        'Content-Length: 100\r\n',
        `A: ${'a'.repeat(102_400)}\r\n`,
        'Upgrade: x\r\nConnection: Upgrade\r\n',
        'no field\r\n',
      ]) {
        answers.push(await scene.ask({ fields }, END));
      }
      await until(() => scene.gateway.events.filter(({ type }) => type === 'use.settled').length > 1);
      expect(answers.every((answer) => / [45]\d\d /.test(headOf(answer)))).toBe(true);
      expect(JSON.stringify([answers, scene.gateway.events])).not.toMatch(new RegExp(`${API_KEY}|${TOKEN}|our-secret`));
    });
  });
}

describe('a CONNECT', () => {
  test('to an upstream proxy has the credentials of the upstream and nothing of ours', async () => {
    for (const fields of [FIELDS, `${FIELDS}X-Crawlera-Session: create\r\n`]) {
      const proxy = await createRawTarget(
        ({ socket }) => void socket.once('data', () => socket.end('HTTP/1.1 502 No\r\n\r\n')),
      );
      onTestFinished(() => proxy.close());
      const { port } = await startGateway({ upstreams: [`http://user:secret@127.0.0.1:${proxy.port}`] });
      const { socket } = await sendConnect(port, 'site.example:443', { headers: fields });
      if (!fields.includes('create')) {
        const secured = tls.connect({ socket, rejectUnauthorized: false });
        onTestFinished(() => void secured.destroy());
        secured.on('error', () => undefined);
        secured.write(`GET / HTTP/1.1\r\nHost: site.example\r\n${FIELDS}\r\n`);
      }
      await until(() => proxy.connections.length > 0);
      expect(await proxy.connections[0]?.received(END)).toBe(
        'CONNECT site.example:443 HTTP/1.1\r\nHost: site.example:443\r\n' +
          'Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\nConnection: keep-alive\r\n\r\n',
      );
    }
  });

  test('that is looked into gives its target none of its fields, and takes none as its answer', async () => {
    const scene = await startScene(STRAIGHT[1] as (typeof STRAIGHT)[number], answerOnce(OK), { intercept: 'always' });
    const headers = `${FIELDS}X-Crawlera-Session: create\r\n`;
    const { socket } = await sendConnect(scene.gateway.port, scene.authority, { headers });
    const secured = tls.connect({ socket, rejectUnauthorized: false });
    onTestFinished(() => void secured.destroy());
    const client = new RawConnection(secured);
    send(client, `GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\n${proxyAuth()}\r\n`);
    await client.received('\r\n\r\nok');
    expect(seenAt(scene)).toBe('GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nConnection: keep-alive\r\n\r\n');
  });

  test('that is a blind tunnel gives its target what comes behind it only', async () => {
    const target = await createRawTarget();
    onTestFinished(() => target.close());
    const { port } = await startGateway();
    const headers = `${FIELDS}X-Crawlera-Session: create\r\n`;
    const { socket } = await sendConnect(port, `127.0.0.1:${target.port}`, { headers });
    socket.write('behind');
    expect(await target.connections[0]?.received('behind')).toBe('behind');
  });
});

test('a key in the wrong place is not told either', async () => {
  const { port, events } = await startGateway();
  const answers = [
    await sendRaw(port, `GET http://${API_KEY}:our-secret@x:99999/ HTTP/1.1\r\n${proxyAuth()}\r\n`),
    await sendRaw(port, `GET ftp://${API_KEY}:our-secret@x/ HTTP/1.1\r\n${proxyAuth()}\r\n`),
    await sendRaw(port, `CONNECT ${API_KEY}:our-secret@x:1 HTTP/1.1\r\n${proxyAuth()}\r\n`),
    await sendRaw(port, `GET http://x/ HTTP/1.1\r\n${proxyAuth('our-secret')}\r\n`),
  ];
  expect(answers.every(({ status }) => status >= 400)).toBe(true);
  expect(JSON.stringify([answers, events])).not.toMatch(new RegExp(API_KEY));
  expect(JSON.stringify(events)).not.toMatch(/our-secret@/);
});
