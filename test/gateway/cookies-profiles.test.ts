import { describe, expect, test } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import { type Arrival, startGateway, startTarget } from '../support/gateway.js';
import { proxyAuth, readAnswer, sendConnect, sendGet } from '../support/raw-client.js';

const create = 'X-Crawlera-Session: create\r\n';
const enable = 'X-Crawlera-Cookies: enable\r\n';
const inSession = (id: string): string => `X-Crawlera-Session: ${id}\r\n`;

/** A value of a request as its target saw it. */
function fieldOf(arrival: Arrival | undefined, name: string): string | undefined {
  const { rawHeaders = [] } = arrival ?? {};
  const index = rawHeaders.findIndex((field, at) => at % 2 === 0 && field.toLowerCase() === name);
  return index === -1 ? undefined : rawHeaders[index + 1];
}

describe('cookies', () => {
  /** A target that sets a cookie named by its path. */
  async function startBakery(options: GatewayOptions = {}) {
    const target = await startTarget((req, res) => {
      const name = req.url?.slice(1) ?? '';
      res.writeHead(200, name === '' ? {} : { 'Set-Cookie': [`${name}=1; Path=/`] }).end();
    });
    const { port } = await startGateway(options);
    const ask = (path: string, headers = '') => sendGet(port, `${target.url}/${path}`, headers);
    const sent = (): string | undefined => fieldOf(target.arrivals.at(-1), 'cookie');
    return { port, target, ask, sent };
  }

  for (const [name, headers, options, sentFirst, sentThen] of [
    ['pass by default', '', {}, 'mine=1', 'mine=1'],
    ['pass under disable', 'X-Crawlera-Cookies: disable\r\n', { cookies: 'enable' }, 'mine=1', 'mine=1'],
    ['are those of the jar under enable', enable, {}, undefined, 'a=1'],
    ['are those of the jar where that is the setting', '', { cookies: 'enable' }, undefined, 'a=1'],
    ['are none under discard', 'x-crawlera-cookies: DISCARD\r\n', { cookies: 'enable' }, undefined, undefined],
  ] as const satisfies readonly (readonly [string, string, GatewayOptions, string | undefined, string | undefined])[]) {
    test(`${name}; Set-Cookie passes in any case`, async () => {
      const { ask, sent } = await startBakery({ upstreams: ['local://127.0.0.2'], ...options });
      const answer = await ask('a', `${headers}Cookie: mine=1\r\n`);
      expect([sent(), answer.header('Set-Cookie')]).toEqual([sentFirst, 'a=1; Path=/']);
      await ask('', `${headers}Cookie: mine=1\r\n`);
      expect(sent()).toBe(sentThen);
    });
  }

  test('of a session are its own', async () => {
    const { ask, sent } = await startBakery({ upstreams: ['local://127.0.0.2'] });
    const ids = [];
    for (const name of ['a', 'b']) ids.push((await ask(name, enable + create)).header('X-Crawlera-Session') ?? '');
    await ask('', enable + inSession(ids[0] ?? ''));
    expect(sent()).toBe('a=1');
    await ask('', enable + inSession(ids[1] ?? ''));
    expect(sent()).toBe('b=1');
    await ask('', enable);
    expect(sent()).toBeUndefined();
  });

  test('without a session belong to an outgoing IP and a site', async () => {
    const { port, target, ask, sent } = await startBakery();
    const names: Record<string, string> = { '127.0.0.2': 'two', '127.0.0.3': 'three' };
    for (const ip of ['127.0.0.2', '127.0.0.3']) {
      await ask(names[ip] ?? '', enable);
      expect(target.arrivals.at(-1)?.fromIp).toBe(ip);
    }
    for (let index = 0; index < 4; index += 1) {
      await ask('', enable);
      expect(sent()).toBe(`${names[target.arrivals.at(-1)?.fromIp ?? '']}=1`);
    }
    await sendGet(port, `http://localhost:${target.port}/`, enable);
    expect(sent()).toBeUndefined();
  });

  test('are kept of the page of a ban, and sent by that session in the next attempt', async () => {
    const target = await startTarget((_, res) => {
      const isFirst = target.arrivals.length === 1;
      res.writeHead(isFirst ? 403 : 200, { 'Set-Cookie': 'seen=1; Path=/' }).end();
    });
    const { port } = await startGateway();
    await sendGet(port, target.url, `${enable}${create}X-Crawlera-Max-Retries: 1\r\n`);
    expect(target.arrivals.map((arrival) => fieldOf(arrival, 'cookie'))).toEqual([undefined, 'seen=1']);
  });

  test('are no trouble to a request for no page at all', async () => {
    const { port, target } = await startBakery({ cookies: 'enable' });
    const { socket } = await sendConnect(port, `127.0.0.1:${target.port}`);
    socket.write(`OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n${proxyAuth()}\r\n`);
    expect((await readAnswer(socket)).status).toBe(200);
  });

  test('of a host are the same however it is spelled', async () => {
    const { port, target, sent } = await startBakery({ cookies: 'enable', upstreams: ['local://127.0.0.2'] });
    await sendGet(port, `http://LocalHost.:${target.port}/a`);
    await sendGet(port, `http://localhost:${target.port}/`);
    expect(sent()).toBe('a=1');
  });
});

describe('a profile', () => {
  const DESKTOP = /^Mozilla\/5\.0 \((?!.*(?:Mobi|Android))/;
  const MOBILE = /^Mozilla\/5\.0 .*(?:Mobi|Android)/;
  const TOOL = /^tool\/1$/;
  const client =
    'User-Agent: tool/1\r\nAccept: tool/*\r\nAccept-Language: de\r\nX-Mine: yes\r\nAccept-Encoding: br\r\n';
  const PASSED = 'X-Crawlera-Profile-Pass: accept-LANGUAGE, User-Agent\r\n';

  for (const [name, headers, options, userAgent, accept, language] of [
    ['is not played by default', '', {}, TOOL, 'tool/*', 'de'],
    ['is not played under pass', 'X-Crawlera-Profile: pass\r\n', { profile: 'desktop' }, TOOL, 'tool/*', 'de'],
    ['of a desktop is played', 'X-Crawlera-Profile: desktop\r\n', {}, DESKTOP, undefined, undefined],
    ['of a phone is played', 'X-Crawlera-Profile: Mobile\r\n', {}, MOBILE, undefined, undefined],
    ['is played where that is the setting', '', { profile: 'mobile' }, MOBILE, undefined, undefined],
    ['lets pass what is named', `X-Crawlera-Profile: mobile\r\n${PASSED}`, {}, TOOL, undefined, 'de'],
    ['says nothing to Profile-Pass if there is none', PASSED, {}, TOOL, 'tool/*', 'de'],
    ['may be a User-Agent alone', 'X-Crawlera-UA: desktop\r\n', {}, DESKTOP, 'tool/*', 'de'],
    ['may be that of a phone', 'X-Crawlera-UA: mobile\r\n', {}, MOBILE, 'tool/*', 'de'],
    ['may be none', 'X-Crawlera-UA: pass\r\n', {}, TOOL, 'tool/*', 'de'],
    ['may be none in other words', 'X-Crawlera-No-UA: 1\r\n', {}, TOOL, 'tool/*', 'de'],
    ['beats UA', 'X-Crawlera-Profile: desktop\r\nX-Crawlera-UA: mobile\r\n', {}, DESKTOP, undefined, undefined],
    ['beats UA by being none', 'X-Crawlera-Profile: pass\r\nX-Crawlera-UA: mobile\r\n', {}, TOOL, 'tool/*', 'de'],
  ] as const satisfies readonly (readonly [string, string, GatewayOptions, RegExp, ...(string | undefined)[]])[]) {
    test(name, async () => {
      const [{ port }, target] = [await startGateway(options), await startTarget()];
      expect((await sendGet(port, target.url, client + headers)).status).toBe(200);
      const [arrival] = target.arrivals;
      expect(fieldOf(arrival, 'user-agent')).toMatch(userAgent);
      if (accept === undefined) expect(fieldOf(arrival, 'accept')).not.toBe('tool/*');
      else expect(fieldOf(arrival, 'accept')).toBe(accept);
      if (language === undefined) expect(fieldOf(arrival, 'accept-language')).not.toBe('de');
      else expect(fieldOf(arrival, 'accept-language')).toBe(language);
      expect([fieldOf(arrival, 'x-mine'), fieldOf(arrival, 'accept-encoding')]).toEqual(['yes', 'br']);
    });
  }

  test('stays the same as long as its session, in retries and inside tunnels, too', async () => {
    const target = await startTarget((_, res) => res.writeHead(target.arrivals.length === 3 ? 503 : 200).end());
    const { port } = await startGateway();
    const played = 'X-Crawlera-Profile: desktop\r\n';
    const id = (await sendGet(port, target.url, played + create)).header('X-Crawlera-Session') ?? '';
    await sendGet(port, target.url, played + inSession(id));
    await sendGet(port, target.url, `${played}${inSession(id)}X-Crawlera-Max-Retries: 1\r\n`);
    const { socket } = await sendConnect(port, `127.0.0.1:${target.port}`);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${played}${inSession(id)}\r\n`);
    expect((await readAnswer(socket)).header('X-Crawlera-Session')).toBe(id);
    expect(target.arrivals).toHaveLength(5);
    expect(new Set(target.arrivals.map((arrival) => fieldOf(arrival, 'user-agent'))).size).toBe(1);
  });

  test('is another one for each request without a session', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    for (let index = 0; index < 40; index += 1) await sendGet(port, target.url, 'X-Crawlera-Profile: desktop\r\n');
    // Browsers are drawn as often as they are met; 40 times the same one is not to be feared.
    expect(new Set(target.arrivals.map((arrival) => fieldOf(arrival, 'user-agent'))).size).toBeGreaterThan(1);
  });
});
