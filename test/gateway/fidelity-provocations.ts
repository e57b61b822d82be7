// How each error comes about, for real.

import { expect, onTestFinished, vi } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/index.js';
import type { ErrorCode } from '../../src/sessions/errors.js';
import { API_KEY } from '../support/gateway.js';
import { createHttpProxy } from '../support/proxy-http.js';
import { openRaw, proxyAuth } from '../support/raw-client.js';
import { RawConnection } from '../support/target-raw.js';
import {
  answerHeads,
  type Asked,
  bodyOf,
  fieldOf,
  OK,
  type Scene,
  send,
  startScene,
  STRAIGHT,
  until,
  type Way,
} from './fidelity-ways.js';

export const [PLAIN, SECURE] = STRAIGHT as readonly [Way, Way];

/** How an error comes about; without more, by a plain request to a target that answers well. */
export interface Provocation {
  readonly code: ErrorCode;
  readonly ways?: readonly Way[];
  readonly options?: GatewayOptions | (() => Promise<GatewayOptions>);
  readonly asked?: Asked;
  readonly answer?: (connection: RawConnection) => void;
  /** Done before it. */
  readonly before?: (scene: Scene) => Promise<unknown>;
  /** Sent in place of a request on a connection of its own. */
  readonly bytes?: (scene: Scene) => string;
}

/** One request a minute, and no waiting. */
export const BUSY: GatewayOptions = { delays: { default: '60s', maxHold: '1s' } };
/** A request that says it has a body. */
export const WITH_BODY = { method: 'POST', fields: 'Content-Length: 5\r\n' };

/** Sends a request and waits for its answer. */
export const askOnce = (scene: Scene): Promise<string> => scene.ask({}, END);
export const END = '\r\n\r\n';

/** Leaves a request without answer. */
export async function hold(scene: Scene): Promise<void> {
  send(await scene.open(), scene.request({ path: '/held' }));
  await until(() => scene.target.connections.some(({ text }) => text.includes('/held')));
}

async function breakTemporaryFolder(scene: Scene): Promise<void> {
  await askOnce(scene);
  vi.stubEnv('TMPDIR', '/nowhere');
  onTestFinished(() => void vi.unstubAllEnvs());
}

async function proxyThatReachesNothing(): Promise<GatewayOptions> {
  const proxy = await createHttpProxy({ refuseWith: 502 });
  onTestFinished(() => proxy.close());
  return { upstreams: [`http://127.0.0.1:${proxy.port}`] };
}

/** One for each code that can be told. */
export const PROVOCATIONS: readonly Provocation[] = [
  { code: 'bad_session_id', asked: { fields: 'X-Crawlera-Session: 404\r\n' } },
  {
    code: 'user_session_limit',
    options: { sessions: { max: 1 } },
    asked: { fields: 'X-Crawlera-Session: create\r\n' },
    before: (scene) => scene.ask({ fields: 'X-Crawlera-Session: create\r\n' }, END),
  },
  { code: 'bad_request', asked: { fields: 'no field\r\n' } },
  { code: 'bad_uri', ways: [PLAIN], bytes: () => `GET ftp://x/ HTTP/1.1\r\n${proxyAuth()}\r\n` },
  { code: 'bad_auth', ways: [PLAIN], bytes: () => 'GET /sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n' },
  { code: 'bad_proxy_auth', ways: [PLAIN], bytes: () => `GET http://x/ HTTP/1.1\r\n${proxyAuth('', 'no-key')}\r\n` },
  { code: 'request_too_large', options: { limits: { requestBytes: 4 } }, asked: WITH_BODY },
  { code: 'headers_too_large', asked: { fields: `A: ${'a'.repeat(102_400)}\r\n` } },
  { code: 'too_many_conns', options: { maxConnections: 1 }, answer: () => undefined, before: hold },
  {
    code: 'internal_error',
    options: { delays: { default: '60s' } },
    asked: { ...WITH_BODY, fields: 'Content-Length: 200000\r\n', body: 'x'.repeat(200_000) },
    before: breakTemporaryFolder,
  },
  { code: 'nxdomain', ways: [PLAIN], bytes: () => `GET http://no-such-host.invalid/ HTTP/1.1\r\n${proxyAuth()}\r\n` },
  { code: 'ehostunreach', ways: [SECURE], options: proxyThatReachesNothing },
  { code: 'econnrefused', before: (scene) => scene.target.close() },
  {
    code: 'econnreset',
    ways: [PLAIN],
    answer: ({ socket }) => void socket.once('data', () => socket.resetAndDestroy()),
  },
  { code: 'socket_closed_remotely', answer: ({ socket }) => void socket.once('data', () => socket.end()) },
  { code: 'send_failed', answer: (connection) => send(connection, 'nonsense') },
  { code: 'bad_cert', ways: [SECURE], options: { targets: { insecure: [] } } },
  { code: 'noslaves', asked: { fields: 'X-Crawlera-Region: zz\r\n' } },
  { code: 'banned', answer: (connection) => send(connection, OK.replace('200 OK', '403 No')) },
  { code: 'serverbusy', options: BUSY, before: askOnce },
  { code: 'timeout', options: { timeouts: { response: '200ms' } }, answer: () => undefined },
  { code: 'domain_forbidden', options: { targets: { deny: ['127.0.0.1'] } } },
  { code: 'bad_header', asked: { fields: 'X-Crawlera-Max-Retries: many\r\n' } },
  { code: 'data_error', options: { limits: { responseBytes: 1 } } },
];

/** A field of an error; the API names those that are not ours in lower case. */
export const plainField = (text: string, name: string): string | undefined =>
  fieldOf(text, name) ?? fieldOf(text, name.toLowerCase());

const whole = (text: string): boolean =>
  text.includes(END) && Number(plainField(text, 'Content-Length')) === bodyOf(text).length;

/** Provokes an error. @param sessionFields go with the request */
export async function provoke(way: Way, { options = {}, ...how }: Provocation, sessionFields = ''): Promise<string> {
  const { asked = {}, answer = answerHeads(() => OK).serve, before, bytes } = how;
  const scene = await startScene(way, answer, typeof options === 'function' ? await options() : options);
  const id = sessionFields === 'ID' ? await createSession(scene) : undefined;
  const fields = `${asked.fields ?? ''}${id === undefined ? '' : `X-Crawlera-Session: ${id}\r\n`}`;
  await before?.(scene);
  const client = bytes === undefined ? await scene.open() : new RawConnection(openRaw(scene.gateway.port, ''));
  send(client, bytes?.(scene) ?? scene.request({ ...asked, fields }));
  await until(() => whole(client.text));
  expect(scene.gateway.events.filter(({ type }) => type === 'gateway.failure')).toHaveLength(
    how.code === 'internal_error' ? 1 : 0,
  );
  return id === undefined ? client.text : client.text.replaceAll(id, 'ID');
}

async function createSession({ gateway }: Scene): Promise<string> {
  const client = new RawConnection(openRaw(gateway.port, ''));
  const token = Buffer.from(`${API_KEY}:`).toString('base64');
  send(client, `POST /sessions HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Basic ${token}\r\n\r\n`);
  await client.end();
  return bodyOf(client.text).trim();
}
