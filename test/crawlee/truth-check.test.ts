// Whether the plugin notices that a page left by another session than its own, and never says so of one that did not:
// each page by itself, its response made up, what the gateway knows of its session real.

import { Request, Session, SessionPool } from 'crawlee';
import { expect, test } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { coreOf } from '../../src/crawlee/core.js';
import { ProxySessionError } from '../../src/index.js';
import type { SessionProxyConfigurationOptions } from '../../src/index.js';
import { MAX_SESSION_TUNNELS } from '../../src/sessions/session-tunnels.js';
import { sendConnect } from '../support/raw-client.js';
import { configure, openGateway } from './crawl.js';
import { openTarget } from './crawl-target.js';

const HTTPS = 'https://127.0.0.1:1/';
const HTTP = 'http://127.0.0.1:1/';

interface Given {
  readonly url?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the proxy of the page was made for. */
  readonly proxyOf?: string;
  readonly response?: unknown;
}

/** A Crawlee session with a gateway session, and pages of it that are said to be loaded. */
async function open(options: Omit<SessionProxyConfigurationOptions, 'proxyUrl'> = {}) {
  const gateway = await openGateway({ apiKeys: ['test-key-1'] });
  const configuration = configure(gateway.proxyUrl, options);
  const { truth } = coreOf(configuration);
  const session = new Session({ sessionPool: new SessionPool() });
  const proxyInfo = await configuration.newProxyInfo(session.id);
  const id = configuration.proxySession(session)?.id ?? '';
  const client = new SessionsClient(gateway.proxyUrl);
  const begin = ({ url = HTTPS, status = 200, headers = {}, proxyOf = session.id, ...given }: Given = {}) => {
    const request = new Request({ url });
    const response = 'response' in given ? given.response : { url, statusCode: status, headers };
    truth.begin({ request });
    return () => truth.verify({ request, session, proxyInfo: { ...proxyInfo, sessionId: proxyOf }, response });
  };
  const mismatches = async (): Promise<number> => {
    await truth.settled();
    return configuration.mismatches;
  };
  /** Opens a tunnel in the session; gives what closes it. */
  const connect = async (authority: string): Promise<() => Promise<void>> => {
    const { socket } = await sendConnect(Number(new URL(gateway.url).port), authority, { password: `session-${id}` });
    const isOpen = async (): Promise<boolean> => ((await client.get(id))?.tunnels ?? []).some((one) => one.open > 0);
    return async () => {
      socket.destroy();
      // oxlint-disable-next-line no-await-in-loop
      while (await isOpen()) continue;
    };
  };
  return { gateway, configuration, client, id, session, begin, mismatches, connect };
}

const OWN = 'the own session';

for (const [name, given, count] of [
  ['http, named by the answer', { url: HTTP, headers: { 'x-crawlera-session': OWN } }, 0],
  ['http, another named by the answer', { url: HTTP, headers: { 'x-crawlera-session': '42' } }, 1],
  ['http, an answer that names none', { url: HTTP }, 1],
  ['http, an answer of the gateway itself', { url: HTTP, status: 503, headers: { 'x-crawlera-error': 'noslaves' } }, 0],
  ['http, an answer of the proxy inside Crawlee', { url: HTTP, status: 597 }, 0],
  ['https, no tunnel in its session', {}, 1],
  ['https, the gateway looked inside', { headers: { 'x-crawlera-session': OWN } }, 0],
  ['https, the proxy of another session', { proxyOf: 'another' }, 1],
  ['http, the proxy of another session', { url: HTTP, headers: { 'x-crawlera-session': OWN }, proxyOf: 'another' }, 1],
  ['no response', { response: undefined }, 0],
  ['a response of no server', { url: HTTPS, response: { url: 'about:blank', statusCode: 200, headers: {} } }, 0],
  ['a response of a kind that is not known', { response: { ok: true } }, 0],
] as const satisfies readonly (readonly [string, Given, number])[]) {
  test(`${name}: ${count === 0 ? 'no mismatch' : 'a mismatch'}`, async () => {
    const { id, begin, mismatches } = await open();
    const { headers = {}, ...rest }: Given = given;
    const named = Object.entries(headers).map(([field, value]) => [field, value === OWN ? id : value]);
    await begin({ ...rest, headers: Object.fromEntries(named) })();
    expect(await mismatches()).toBe(count);
  });
}

test('https: a tunnel that is open speaks for all pages of its target, whoever is named in the answer', async () => {
  const { begin, mismatches, connect } = await open();
  const { https: url } = await openTarget();
  await connect(new URL(url).host);
  await Promise.all([begin({ url })(), begin({ url })(), begin({ url, headers: { 'x-crawlera-session': '42' } })()]);
  expect(await mismatches()).toBe(0);
});

test('https: a tunnel to another port or host speaks for none', async () => {
  const { begin, mismatches, connect } = await open();
  const { https, http } = await openTarget();
  await connect(new URL(http).host);
  await begin({ url: https })();
  await begin({ url: https.replace('127.0.0.1', 'localhost') })();
  expect(await mismatches()).toBe(2);
});

test('https: a tunnel that was open while the page was loaded speaks for it, and not for a later one', async () => {
  const { begin, mismatches, connect } = await open();
  const { https: url } = await openTarget();
  const verify = begin({ url });
  const close = await connect(new URL(url).host);
  await close();
  await verify();
  expect(await mismatches()).toBe(0);
  // How late is late enough depends on how long the gateway takes to answer.
  do {
    // oxlint-disable-next-line no-await-in-loop
    await begin({ url })();
    // oxlint-disable-next-line no-await-in-loop
  } while ((await mismatches()) === 0);
});

test('https: a later page that the browser had already is no mismatch', async () => {
  const { begin, mismatches, connect } = await open();
  const { https } = await openTarget();
  const url = `${https}/`;
  await (
    await connect(new URL(url).host)
  )();
  const common = { url: () => url, status: () => 200, headers: () => ({}) };
  const sizes = (body: number) => ({ request: () => ({ sizes: async () => sizesOf(body) }) });
  const pages = (response: object) => begin({ url, response: { ...common, ...response } })();
  // Until a page that was sent anew is told from one that had its tunnel, as above.
  do {
    // oxlint-disable-next-line no-await-in-loop
    await pages(sizes(10));
    // oxlint-disable-next-line no-await-in-loop
  } while ((await mismatches()) === 0);
  await pages(sizes(-90));
  await pages({ fromCache: () => true });
  await pages({ fromServiceWorker: () => true, ...sizes(10) });
  expect(await mismatches()).toBe(1);
  await pages({ fromCache: () => false });
  await pages({ request: () => ({ sizes: async () => Promise.reject(new Error('the page was closed')) }) });
  expect(await mismatches()).toBe(3);
});

function sizesOf(responseBodySize: number) {
  return { responseBodySize, responseHeadersSize: 90 };
}

test('https: a page whose target may have dropped out of a full list is no mismatch', async () => {
  const { begin, mismatches, connect } = await open();
  await Promise.all(Array.from({ length: MAX_SESSION_TUNNELS }, (_, index) => connect(`127.0.1.${index}:1`)));
  await begin({ url: 'https://127.0.2.1:1/' })();
  expect(await mismatches()).toBe(0);
});

test('a session that has ended at the gateway tells nothing', async () => {
  const { client, id, begin, mismatches } = await open();
  await client.delete(id);
  await begin()();
  expect(await mismatches()).toBe(0);
});

test('a gateway that is gone tells nothing', async () => {
  const { gateway, begin, mismatches } = await open();
  await gateway.close();
  await begin()();
  expect(await mismatches()).toBe(0);
});

test('close() waits for the pages loaded last, and ends their sessions afterwards', async () => {
  const { configuration, begin } = await open();
  await begin()();
  expect(configuration.mismatches).toBe(0);
  await configuration.close();
  expect(configuration.mismatches).toBe(1);
});

test("with onMismatch 'throw' a mismatch is a session error that names page and reason, and never the key", async () => {
  const { configuration, begin, connect } = await open({ onMismatch: 'throw' });
  const error: unknown = await begin()().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProxySessionError);
  expect(error).toMatchObject({ code: 'session_mismatch' });
  expect(String(error)).toContain(`${HTTPS} did not leave by the gateway session of its Crawlee session`);
  expect(String(error)).not.toContain('test-key-1');
  expect(configuration.mismatches).toBe(1);
  const { https: url } = await openTarget();
  await connect(new URL(url).host);
  await begin({ url })();
  expect(configuration.mismatches).toBe(1);
});
