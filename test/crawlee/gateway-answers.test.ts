// How answers and error texts are read, case by case.

import { CriticalError, SessionError } from 'crawlee';
import { expect, test } from 'vitest';

import { readGatewayAnswer, readSessionNews, readTunnelStatus } from '../../src/crawlee/gateway-answers.js';
import { judgeAnswer } from '../../src/crawlee/refusal-verdicts.js';
import { ProxySessionError } from '../../src/index.js';

function answer(url: string, statusCode: number, headers: Record<string, string> = {}) {
  return { url, statusCode, headers, redirectUrls: [], trailers: {}, complete: true };
}

for (const [name, given, read] of [
  ['an ordinary page', answer('http://a/', 200), undefined],
  ['an error of the target', answer('http://a/', 503), undefined],
  [
    'an error of the gateway',
    answer('http://a/', 503, { 'x-crawlera-error': 'noslaves' }),
    { code: 'noslaves', status: 503 },
  ],
  ['a 407 of any proxy', answer('http://a/', 407), { code: undefined, status: 407 }],
  [
    'what an https target says of itself',
    answer('https://a/', 407, { 'x-crawlera-error': 'bad_proxy_auth' }),
    undefined,
  ],
] as const) {
  test(`${name} is read as what it is`, () => expect(readGatewayAnswer(given)).toEqual(read));
}

for (const [name, headers, read] of [
  ['nothing', {}, {}],
  ['an ID', { 'x-crawlera-session': '12' }, { id: '12' }],
  ['an outgoing IP with its port', { 'x-crawlera-slave': '10.0.0.1:3128' }, { outgoingIp: '10.0.0.1' }],
  ['an outgoing IP without', { 'x-crawlera-slave': '10.0.0.1' }, { outgoingIp: '10.0.0.1' }],
  ['an outgoing IPv6', { 'x-crawlera-slave': '2001:db8::1' }, { outgoingIp: '2001:db8::1' }],
  ['an outgoing IPv6 with its port', { 'x-crawlera-slave': '[2001:db8::1]:80' }, { outgoingIp: '2001:db8::1' }],
  ['a wait in seconds', { 'x-crawlera-next-request-in': '130' }, { nextUseInMs: 130_000 }],
  ['a wait that is no number', { 'x-crawlera-next-request-in': 'soon' }, {}],
] as const) {
  test(`an answer tells ${name}`, () => {
    expect(readSessionNews(answer('http://a/', 200, headers))).toEqual(read);
    expect(readSessionNews(answer('https://a/', 200, headers))).toEqual({});
  });
}

for (const [message, status] of [
  ['Proxy responded with 400 Bad Request: 0 bytes.\n\nBelow is the first 100 bytes', 400],
  ['The proxy responded with 407 Proxy Authentication Required: ', 407],
  ['The proxy server rejected the request with status code 503 (Service Unavailable)', 503],
  ['read ECONNRESET', undefined],
] as const) {
  test(`"${message.slice(0, 40)}…" is ${status ?? 'no refused tunnel'}`, () => {
    expect(readTunnelStatus(new Error(message))).toBe(status);
  });
}

const CONTEXT = { text: '', gatewayUrl: 'http://g:1', targetUrl: 'http://a/', proxySessionId: '12' };

test('a lost session is a session error, which Crawlee rotates on', () => {
  const { error, isSessionFine } = judgeAnswer({ code: 'bad_session_id', status: 400 }, CONTEXT);
  expect(error).toBeInstanceOf(SessionError);
  expect(error).toBeInstanceOf(ProxySessionError);
  expect(isSessionFine).toBe(false);
});

test('a ban is a session error that tells when it is over', () => {
  const { error } = judgeAnswer({ code: 'banned', status: 503, retryAfterMs: 9_000 }, CONTEXT);
  expect(error).toBeInstanceOf(ProxySessionError);
  expect(error).toMatchObject({ code: 'banned', nextUseInMs: 9_000, message: expect.stringContaining(' at a') });
});

test('a wrong key is critical', () => {
  const { error } = judgeAnswer({ code: 'bad_proxy_auth', status: 407 }, CONTEXT);
  expect(error).toBeInstanceOf(CriticalError);
});

for (const [code, status, isSessionFine] of [
  ['serverbusy', 503, true],
  ['too_many_conns', 429, true],
  ['noslaves', 503, true],
  ['econnreset', 502, false],
] as const) {
  test(`${code} is an ordinary error, and ${isSessionFine ? 'not' : ''} the session's fault`, () => {
    const verdict = judgeAnswer({ code, status }, { ...CONTEXT, text: 'read ECONNRESET at 10.0.0.1\n' });
    expect(verdict.error).not.toBeInstanceOf(SessionError);
    expect(verdict.error.message).toBe(
      `The gateway answered ${status} ${code} for http://a/: read connection reset at 10.0.0.1`,
    );
    expect(verdict.isSessionFine).toBe(isSessionFine);
  });
}
