import { expect, test } from 'vitest';

import type { GatewayEvent, UseSettled } from '../../src/gateway/events.js';
import { createLogSink } from '../../src/gateway/log.js';
import type { LogSinkOptions } from '../../src/gateway/log.js';

const SETTLED: UseSettled = {
  type: 'use.settled',
  owner: '0123456789abcdef',
  kind: 'request',
  method: 'GET',
  target: 'shop.example:80',
  sessionId: '42',
  upstream: 'a',
  outgoingIp: '192.0.2.1',
  waitMs: 12_000,
  tookMs: 12_345,
  status: 200,
  error: undefined,
  retried: false,
  jobId: undefined,
  client: undefined,
  bytesOut: 100,
  bytesIn: 2_000,
};

const EVENTS: readonly (readonly [level: string, event: GatewayEvent])[] = [
  ['info', SETTLED],
  ['info', { type: 'gateway.listening', url: 'http://127.0.0.1:1' }],
  ['info', { type: 'gateway.closing', held: 2 }],
  ['debug', { type: 'session.created', owner: 'a', sessionId: '42', outgoingIp: '192.0.2.1' }],
  ['debug', { type: 'session.ended', owner: 'a', sessionId: '42', reason: 'expired' }],
  ['warn', { type: 'request.rejected', error: 'bad_proxy_auth', message: 'no such key', remote: '127.0.0.1' }],
  ['warn', { type: 'upstream.down', upstream: 'a:1', error: 'timeout', message: 'no answer', retryInMs: 1_000 }],
  ['info', { type: 'upstream.up', upstream: 'a:1' }],
  ['debug', { type: 'upstream.ip-learned', upstream: 'a:1', exit: 'x', outgoingIp: '192.0.2.1' }],
  ['warn', { type: 'upstream.ip-unknown', upstream: 'a:1', exit: undefined, message: 'no answer' }],
  ['error', { type: 'gateway.failure', error: new Error('broken'), during: 'a test' }],
];

/** Logs events and gives the lines. */
function linesOf(events: readonly GatewayEvent[], options: Partial<LogSinkOptions> = {}): readonly string[] {
  const lines: string[] = [];
  const sink = createLogSink(
    { level: 'trace', format: 'json', ...options },
    { write: (line: string) => void lines.push(line) },
  );
  for (const event of events) sink(event);
  return lines;
}

for (const [level, event] of EVENTS) {
  test(`${event.type} is one line at level ${level}`, () => {
    const [line = '', ...others] = linesOf([event]);
    expect(others).toEqual([]);
    expect(JSON.parse(line)).toMatchObject({ level, type: event.type, msg: expect.any(String) });
  });
}

test('the line of a use tells session, outgoing IP, wait, status, bytes, method and target', () => {
  const { sessionId, ...told } = SETTLED;
  const line: unknown = JSON.parse(linesOf([SETTLED])[0] ?? '');
  expect(line).toMatchObject({
    ...JSON.parse(JSON.stringify(told)),
    session: sessionId,
    msg: 'GET shop.example:80 200, session 42, by 192.0.2.1, waited 12000 ms, took 12345 ms, 100 B out, 2000 B in',
  });
});

test('a use that failed tells its error', () => {
  const [line = ''] = linesOf([
    { ...SETTLED, status: 502, error: 'nxdomain', sessionId: undefined, outgoingIp: undefined },
  ]);
  const msg = expect.stringMatching(/^GET shop\.example:80 nxdomain, no session, not sent, /) as string;
  expect(JSON.parse(line)).toMatchObject({ error: 'nxdomain', status: 502, msg });
});

test('what is below the level is left out, and silent leaves out all', () => {
  const events = EVENTS.map(([, event]) => event);
  expect(linesOf(events, { level: 'warn' })).toHaveLength(4);
  expect(linesOf(events, { level: 'silent' })).toEqual([]);
});

test('for people it is one line of text', () => {
  expect(linesOf([SETTLED], { format: 'pretty' }).join('')).toMatch(
    /^\[.*INFO.*: GET shop\.example:80 200, session 42, .*\n$/,
  );
});

for (const format of ['json', 'pretty'] as const) {
  test(`keys and passwords that an error quotes do not get into ${format} lines`, () => {
    const error = new Error('connect http://user:hunter2@host:1 failed for key some-api-key, pass"word\\1');
    const secrets = ['some-api-key', 'pass"word\\1', 'e'];
    const text = linesOf([{ type: 'gateway.failure', error, during: 'a test' }], { format, secrets }).join('');
    expect(text).toContain('connect http://***@host:1 failed for key ***, ***');
    expect(text).not.toMatch(/hunter2|some-api-key|word/);
  });
}
