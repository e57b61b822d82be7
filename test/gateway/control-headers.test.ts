import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayEvent, GatewayOptions } from '../../src/gateway/index.js';
import { startGateway, startTarget } from '../support/gateway.js';
import { proxyAuth, readAnswer, sendConnect, sendGet, sendRaw } from '../support/raw-client.js';
import { createHttpsTarget } from '../support/target-tls.js';

const create = 'X-Crawlera-Session: create\r\n';

function codeOf({ status, header }: { status: number; header: (name: string) => string | undefined }) {
  return [status, header('X-Crawlera-Error')];
}

function settled(events: readonly GatewayEvent[]) {
  return events.flatMap((event) => (event.type === 'use.settled' ? [event] : []));
}

describe('X-Crawlera-Timeout', () => {
  const slow = { timeouts: { response: '200ms' }, retries: { default: 0 } } as const satisfies GatewayOptions;

  for (const [name, headers, expected] of [
    ['without it the setting holds', '', [504, 'timeout']],
    ['in range it holds', 'X-Crawlera-Timeout: 40000\r\n', [200, undefined]],
    ['below the range it is 30 s', 'X-Crawlera-Timeout: 1\r\n', [200, undefined]],
    ['negative, too', 'x-crawlera-timeout: -5\r\n', [200, undefined]],
    ['above the range it is 180 s', 'X-Crawlera-Timeout: 99999999\r\n', [200, undefined]],
    ['no number is 540', 'X-Crawlera-Timeout: soon\r\n', [540, 'bad_header']],
    ['twice is 540', 'X-Crawlera-Timeout: 30000\r\nX-Crawlera-Timeout: 30000\r\n', [540, 'bad_header']],
  ] as const) {
    test(`for the head of an answer: ${name}`, async () => {
      const target = await startTarget((_, res) => void wait(500).then(() => res.end('late')));
      const { port } = await startGateway(slow);
      expect(codeOf(await sendGet(port, target.url, headers))).toEqual(expected);
    });
  }

  for (const [name, headers, whole] of [
    ['without it the answer is cut', '', false],
    ['with it the answer comes whole', 'X-Crawlera-Timeout: 30000\r\n', true],
  ] as const) {
    test(`for each piece of a body: ${name}`, async () => {
      const target = await startTarget((_, res) => {
        res.writeHead(200, { 'Content-Length': 8 }).write('half');
        void wait(500).then(() => res.end('half'));
      });
      const { port, event } = await startGateway(slow);
      expect(await sendGet(port, target.url, headers)).toMatchObject({
        status: 200,
        body: whole ? 'halfhalf' : 'half',
      });
      const use = await event(({ type }) => type === 'use.settled');
      expect(use).toMatchObject({ status: 200, error: whole ? undefined : 'timeout' });
    });
  }

  test('it does not count the time a request is held', async () => {
    const target = await startTarget((_, res) => void wait(50).then(() => res.end()));
    const { port } = await startGateway({ ...slow, delays: { default: '500ms' }, upstreams: ['local://127.0.0.2'] });
    const answers = await Promise.all([1, 2, 3].map(() => sendGet(port, target.url)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

describe('where a request leaves from', () => {
  const upstreams: GatewayOptions['upstreams'] = [
    { url: 'local://127.0.0.2', country: 'de' },
    { url: 'local://127.0.0.3', country: 'US', state: 'Texas' },
    { url: 'local://127.0.0.4', country: 'us', state: 'texas', city: 'El Paso' },
  ];

  for (const [name, headers, expected] of [
    ['in a country', 'X-Crawlera-Region: de\r\n', '127.0.0.2'],
    ['in either case', 'X-Crawlera-Region: DE\r\n', '127.0.0.2'],
    ['in a city', 'X-Crawlera-City: el paso\r\n', '127.0.0.4'],
    ['in all three', 'X-Crawlera-Region: us\r\nX-Crawlera-State: TEXAS\r\nX-Crawlera-City: El Paso\r\n', '127.0.0.4'],
    ['in none that there is', 'X-Crawlera-Region: fr\r\n', 'noslaves'],
    ['in none that goes together', 'X-Crawlera-Region: de\r\nX-Crawlera-State: texas\r\n', 'noslaves'],
    ['in a state nobody has', 'X-Crawlera-State: ohio\r\n', 'noslaves'],
    ['in what is no country', 'X-Crawlera-Region: germany\r\n', 'bad_header'],
  ] as const) {
    test(`${name}: ${expected}`, async () => {
      const [{ port }, target] = [await startGateway({ upstreams }), await startTarget()];
      const { header } = await sendGet(port, target.url, headers);
      expect(header('X-Crawlera-Slave') ?? header('X-Crawlera-Error')).toBe(expected);
      expect(target.arrivals.map(({ fromIp }) => fromIp)).toEqual(expected.startsWith('127') ? [expected] : []);
    });
  }

  for (const name of ['State', 'City']) {
    test(`${name} is 540 where no upstream is labelled with one`, async () => {
      const [{ port }, target] = [await startGateway(), await startTarget()];
      const answer = await sendGet(port, target.url, `X-Crawlera-${name}: texas\r\n`);
      expect([...codeOf(answer), answer.body.includes(`X-Crawlera-${name}`)]).toEqual([540, 'bad_header', true]);
    });
  }

  for (const [conflict, headers, expected] of [
    ['refuse', create, [540, 'bad_header']],
    ['ignore', create, [200, undefined]],
  ] as const) {
    test(`beside a session that is made: ${conflict}`, async () => {
      const target = await startTarget();
      const { port, events } = await startGateway({ upstreams, sessions: { regionConflict: conflict } });
      const answer = await sendGet(port, target.url, `${headers}X-Crawlera-Region: us\r\n`);
      expect(codeOf(answer)).toEqual(expected);
      if (conflict === 'ignore') expect(answer.header('X-Crawlera-Slave')).toMatch(/^127\.0\.0\.[34]$/);
      else expect(events.filter(({ type }) => type === 'session.created')).toEqual([]);
    });
  }
});

describe('X-Crawlera-Use-HTTPS', () => {
  for (const [value, isSecure] of [
    ['1', true],
    ['0', false],
  ] as const) {
    test(`of ${value} asks an http:// target over ${isSecure ? 'TLS' : 'plain HTTP'}`, async () => {
      const [secure, plain] = [await createHttpsTarget(), await startTarget()];
      onTestFinished(() => secure.close());
      const { port } = await startGateway({ targets: { allowPrivate: true, insecure: ['127.0.0.1'] } });
      const url = isSecure ? `http://127.0.0.1:${secure.port}/page?a=b` : `${plain.url}/page?a=b`;
      expect((await sendGet(port, url, `X-Crawlera-Use-HTTPS: ${value}\r\n`)).status).toBe(200);
      const seen = isSecure ? secure.seen : plain.arrivals;
      expect(seen.map((request) => request.url)).toEqual(['/page?a=b']);
    });
  }

  test('does not make the certificate less wanted', async () => {
    const secure = await createHttpsTarget();
    onTestFinished(() => secure.close());
    const { port } = await startGateway();
    const answer = await sendGet(port, `http://127.0.0.1:${secure.port}/`, 'X-Crawlera-Use-HTTPS: 1\r\n');
    expect([...codeOf(answer), secure.seen.length]).toEqual([502, 'bad_cert', 0]);
  });
});

describe('what is told of a request', () => {
  test('JobId and Client go to the log, not to the target', async () => {
    const [{ port, events }, target] = [await startGateway(), await startTarget()];
    await sendGet(port, target.url, 'X-Crawlera-JobId: job 1/2\r\nX-Crawlera-Client: tool/1.0\r\n');
    expect(settled(events)).toMatchObject([{ jobId: 'job 1/2', client: 'tool/1.0' }]);
    expect(target.arrivals[0]?.rawHeaders.join(' ')).not.toContain('job 1/2');
  });

  for (const [asked, names] of [
    ['request-time', ['Request-Time']],
    ['ua', ['UA']],
    ['ua, request-time', ['Request-Time', 'UA']],
    ['UA,REQUEST-TIME', ['Request-Time', 'UA']],
    ['something-else', []],
  ] as const) {
    test(`Debug of ${asked} adds ${names.join(' and ') || 'nothing'}`, async () => {
      const target = await startTarget((_, res) => void wait(100).then(() => res.end()));
      const { port } = await startGateway();
      const answer = await sendGet(port, target.url, `User-Agent: tool/1\r\nX-Crawlera-Debug: ${asked}\r\n`);
      const told = answer.rawHeaders.filter((name, index) => index % 2 === 0 && name.startsWith('X-Crawlera-Debug-'));
      expect(told).toEqual(names.map((name) => `X-Crawlera-Debug-${name}`));
      const seconds = answer.header('X-Crawlera-Debug-Request-Time');
      if (seconds !== undefined) expect(seconds).toMatch(/^0\.\d{1,3}$/);
      if (seconds !== undefined) expect(Number(seconds)).toBeGreaterThanOrEqual(0.09);
      expect([undefined, 'tool/1']).toContain(answer.header('X-Crawlera-Debug-UA'));
    });
  }

  test('Debug tells of the last attempt, and the User-Agent that a profile made', async () => {
    const target = await startTarget((_, res) => {
      if (target.arrivals.length === 1) void wait(300).then(() => res.writeHead(403).end());
      else res.end();
    });
    const { port } = await startGateway();
    const headers = 'User-Agent: tool/1\r\nX-Crawlera-Profile: desktop\r\nX-Crawlera-Debug: request-time,ua\r\n';
    const { header } = await sendGet(port, target.url, headers);
    const { rawHeaders = [] } = target.arrivals[1] ?? {};
    expect(header('X-Crawlera-Debug-UA')).toBe(rawHeaders[rawHeaders.indexOf('User-Agent') + 1]);
    expect(Number(header('X-Crawlera-Debug-Request-Time'))).toBeLessThan(0.25);
  });

  for (const field of ['X-Crawlera-Wait: 5', 'X-Crawlera-Wait:', 'X-Crawlera-Anything: x', 'x-crawlera-: y']) {
    test(`"${field}" says nothing`, async () => {
      const [{ port }, target] = [await startGateway(), await startTarget()];
      expect(codeOf(await sendGet(port, target.url, `${field}\r\n`))).toEqual([200, undefined]);
    });
  }
});

describe('an answer says', () => {
  for (const [name, options, slave] of [
    ['the outgoing IP', {}, '127.0.0.2'],
    ['no outgoing IP where that is not wanted', { exposeOutgoingIp: false }, undefined],
  ] as const) {
    test(`the version and ${name}, once each, and no error`, async () => {
      const [{ port }, target] = [await startGateway(options), await startTarget()];
      const answer = await sendGet(port, target.url);
      const ours = answer.rawHeaders.filter((field, index) => index % 2 === 0 && field.startsWith('X-Crawlera'));
      expect(ours).toEqual(slave === undefined ? ['X-Crawlera-Version'] : ['X-Crawlera-Version', 'X-Crawlera-Slave']);
      expect(answer.header('X-Crawlera-Slave')).toBe(slave);
    });
  }

  test('of an error the version and the code, and no outgoing IP', async () => {
    const { port } = await startGateway();
    const answer = await sendGet(port, 'http://127.0.0.1:1/');
    const ours = answer.rawHeaders.filter((field, index) => index % 2 === 0 && field.startsWith('X-Crawlera'));
    expect(ours).toEqual(['X-Crawlera-Version', 'X-Crawlera-Error']);
  });

  test('the calculated delay on errors, too, once it is long', async () => {
    const target = await startTarget((req) => req.socket.destroy());
    const delays = { default: '300ms', softLimit: '100ms' };
    const { port } = await startGateway({ delays, upstreams: ['local://127.0.0.2'] });
    const answers = await Promise.all([1, 2].map(() => sendGet(port, target.url)));
    expect(answers.map((answer) => [...codeOf(answer), answer.header('X-Crawlera-Next-Request-In')])).toEqual([
      [502, 'socket_closed_remotely', undefined],
      [502, 'socket_closed_remotely', '1'],
    ]);
  });
});

describe('inside a tunnel that is looked into', () => {
  async function askInside(port: number, authority: string, { outer = '', inner = '' }) {
    const { socket, answer } = await sendConnect(port, authority, { headers: outer });
    expect(answer.status).toBe(200);
    socket.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\n${inner}\r\n`);
    return readAnswer(socket);
  }

  for (const [name, outer, inner, job] of [
    ['fields of the CONNECT hold', 'X-Crawlera-JobId: outer\r\n', '', 'outer'],
    ['fields of the request hold', '', 'X-Crawlera-JobId: inner\r\n', 'inner'],
    ['those of the request win', 'X-Crawlera-JobId: outer\r\n', 'x-crawlera-jobid: inner\r\n', 'inner'],
  ] as const) {
    test(name, async () => {
      const [{ port, event }, target] = [await startGateway(), await startTarget()];
      await askInside(port, `127.0.0.1:${target.port}`, { outer, inner });
      expect(await event(({ type }) => type === 'use.settled')).toMatchObject({ jobId: job, kind: 'request' });
    });
  }

  test('bans are judged and requests retried as outside', async () => {
    const target = await startTarget((_, res) => res.writeHead(target.arrivals.length === 1 ? 403 : 200).end());
    const { port } = await startGateway();
    const answer = await askInside(port, `127.0.0.1:${target.port}`, {});
    expect([...codeOf(answer), answer.header('X-Crawlera-Slave')]).toEqual([200, undefined, '127.0.0.3']);
  });

  test('a bad field is told inside', async () => {
    const [{ port }, target] = [await startGateway(), await startTarget()];
    const answer = await askInside(port, `127.0.0.1:${target.port}`, { outer: 'X-Crawlera-Cookies: maybe\r\n' });
    expect([...codeOf(answer), target.connections()]).toEqual([540, 'bad_header', 0]);
  });
});

test('a bad field books nothing and makes nothing', async () => {
  const [{ port, events, event }, target] = [await startGateway(), await startTarget()];
  for (const field of [
    'Profile: tablet',
    'Cookies: no',
    'Max-Retries: many',
    'UA: x',
    'Use-HTTPS: yes',
    'Region: usa',
  ]) {
    const head = `GET ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}${create}X-Crawlera-${field}\r\n\r\n`;
    expect(codeOf(await sendRaw(port, head))).toEqual([540, 'bad_header']);
  }
  await event(({ type }) => type === 'request.rejected');
  expect(events.filter(({ type }) => type !== 'request.rejected' && type !== 'gateway.listening')).toEqual([]);
  expect(target.connections()).toBe(0);
});
