// Every error there is, provoked for real, and which of two wins. What an error says beyond its code is text for
// people, so only its shape is held here.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../../src/protocol/version.js';
import { WIRE_ERRORS } from '../../src/protocol/wire-errors.js';
import type { ErrorCode } from '../../src/sessions/errors.js';
import { API_KEY } from '../support/gateway.js';
import { openRaw, proxyAuth } from '../support/raw-client.js';
import { RawConnection } from '../support/target-raw.js';
import {
  askOnce,
  BUSY,
  END,
  hold,
  PLAIN,
  plainField,
  type Provocation,
  provoke,
  PROVOCATIONS,
  WITH_BODY,
} from './fidelity-provocations.js';
import { answerHeads, bodyOf, fieldOf, headOf, OK, send, startScene, STRAIGHT, until } from './fidelity-ways.js';

describe('every error is told with its status, its code and a line of text', () => {
  for (const provocation of PROVOCATIONS) {
    const { code, ways = STRAIGHT } = provocation;
    for (const way of ways) {
      test(`${code} (${way.name})`, async () => {
        const answer = await provoke(way, provocation);
        const { status, reason } = WIRE_ERRORS[code];
        expect(answer.split('\r\n', 1)).toEqual([`HTTP/1.1 ${status} ${reason}`]);
        expect(fieldOf(answer, 'X-Crawlera-Error')).toBe(code);
        expect(fieldOf(answer, 'X-Crawlera-Version')).toBe(VERSION);
        expect(plainField(answer, 'Content-Type')).toBe('text/plain; charset=utf-8');
        expect(bodyOf(answer)).toMatch(/^[^\r\n]+\n$/);
        if (code !== 'bad_auth') expect(headOf(answer)).not.toMatch(/^date:/im);
        expect(headOf(answer)).not.toMatch(/^server:|^transfer-encoding:/im);
      });
    }
  }

  test('and none is left out, here or in the manual, but that of a client that has left', () => {
    const here = new Set(PROVOCATIONS.map(({ code }) => code));
    const all = Object.keys(WIRE_ERRORS);
    expect(all.filter((code) => !here.has(code as ErrorCode))).toEqual(['client_conn_closed']);
    const manual = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const rows = [...manual.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, Number(status)]);
    expect(new Map(rows as [string, number][])).toEqual(
      new Map(Object.entries(WIRE_ERRORS).map(([code, { status }]) => [code, status])),
    );
  });

  test('which is in the events', async () => {
    const scene = await startScene(PLAIN, () => undefined);
    const client = await scene.open();
    send(client, scene.request());
    await until(() => scene.target.connections.length === 1);
    client.socket.destroy();
    const settled = await scene.gateway.event(({ type }) => type === 'use.settled');
    expect(settled).toMatchObject({ error: 'client_conn_closed', status: undefined });
  });
});

describe('the session that was sent comes back where it is dead, and nowhere else', () => {
  const inSession = PROVOCATIONS.filter(
    ({ asked, bytes, code }) => bytes === undefined && !asked?.fields?.includes('Session') && !code.endsWith('_large'),
  ).filter(({ code }) => !['noslaves', 'bad_request', 'user_session_limit'].includes(code));
  for (const provocation of inSession) {
    const { code, ways = STRAIGHT } = provocation;
    for (const way of ways) {
      const isTold = WIRE_ERRORS[code].echoesSession;
      test(`${code} ${isTold ? 'tells' : 'does not tell'} it (${way.name})`, async () => {
        const answer = await provoke(way, provocation, 'ID');
        expect(fieldOf(answer, 'X-Crawlera-Error')).toBe(code);
        expect(fieldOf(answer, 'X-Crawlera-Session')).toBe(isTold ? 'ID' : undefined);
      });
    }
  }

  test.each(STRAIGHT)('an ID that is unknown or none comes back byte for byte ($name)', async (way) => {
    const scene = await startScene(way, () => undefined);
    for (const id of ['404', '\u00e9\u00ff']) {
      const answer = await scene.ask({ fields: `X-Crawlera-Session: ${id}\r\n` }, END);
      expect(fieldOf(answer, 'X-Crawlera-Session')).toBe(id);
    }
  });
});

describe('of two errors, the one that is found first is told', () => {
  const badHeader = 'X-Crawlera-Max-Retries: many\r\n';
  const unknown = 'X-Crawlera-Session: 404\r\n';
  const deny = { targets: { deny: ['127.0.0.1'] } };
  const ban = answerHeads(() => OK.replace('200 OK', '403 No')).serve;
  const large = `A: ${'a'.repeat(102_400)}\r\n`;
  const noKey = `http://x/ HTTP/1.1\r\n${proxyAuth('', 'no-key')}`;

  /** While as many requests run as may. */
  const full = (code: ErrorCode): Provocation => ({
    code,
    options: { maxConnections: 1 },
    answer: () => undefined,
    before: hold,
  });

  test.each<readonly [string, Provocation]>([
    ['a large head before a wrong key', { code: 'headers_too_large', bytes: () => `GET ${noKey}${large}\r\n` }],
    ['a wrong key before a bad header', { code: 'bad_proxy_auth', bytes: () => `GET ${noKey}${badHeader}\r\n` }],
    ['a wrong key before a bad target', { code: 'bad_proxy_auth', bytes: () => `GET ftp:${noKey.slice(5)}\r\n` }],
    [
      'a bad target before the parallel limit',
      {
        ...full('bad_uri'),
        bytes: () => `GET ftp://x/ HTTP/1.1\r\n${proxyAuth()}\r\n`,
      },
    ],
  ])('%s', async (_, provocation) => {
    expect(fieldOf(await provoke(PLAIN, provocation), 'X-Crawlera-Error')).toBe(provocation.code);
  });

  for (const way of STRAIGHT) {
    test.each<readonly [string, Provocation]>([
      [
        'the parallel limit before a bad header',
        {
          ...full('too_many_conns'),
          asked: { fields: badHeader },
        },
      ],
      [
        'a bad header before a bad session',
        { code: 'bad_header', asked: { fields: `X-Crawlera-Session: x\r\n${badHeader}` } },
      ],
      ['a bad header before a denied target', { code: 'bad_header', options: deny, asked: { fields: badHeader } }],
      [
        'a large body before a denied target',
        { code: 'request_too_large', options: { ...deny, limits: { requestBytes: 4 } }, asked: WITH_BODY },
      ],
      [
        'a denied target before an unknown session',
        { code: 'domain_forbidden', options: deny, asked: { fields: unknown } },
      ],
      [
        'an unknown session before a busy IP',
        { code: 'bad_session_id', options: BUSY, before: askOnce, asked: { fields: unknown } },
      ],
      ['a ban before a busy IP', { code: 'banned', options: BUSY, answer: ban, before: askOnce }],
      [
        'a busy IP before a target that is not there',
        {
          code: 'serverbusy',
          options: BUSY,
          before: async (scene) => [await askOnce(scene), await scene.target.close()],
        },
      ],
    ])(`%s (${way.name})`, async (_, provocation) => {
      expect(fieldOf(await provoke(way, provocation), 'X-Crawlera-Error')).toBe(provocation.code);
    });
  }

  test('the API is asked before any of them', async () => {
    const scene = await startScene(PLAIN, () => undefined, { maxConnections: 1 });
    await hold(scene);
    const client = new RawConnection(openRaw(scene.gateway.port, ''));
    const token = Buffer.from(`${API_KEY}:`).toString('base64');
    send(client, `POST /sessions HTTP/1.0\r\nHost: 127.0.0.1\r\n${badHeader}Authorization: Basic ${token}\r\n\r\n`);
    await client.end();
    expect(client.text).toMatch(/^HTTP\/1.1 200 /);
  });
});
