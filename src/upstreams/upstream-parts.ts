// What the kinds of upstreams have in common.

import type { Socket } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import type { ErrorCode } from '../sessions/errors.js';
import { connectTcp } from './connect.js';
import { startTls } from './start-tls.js';
import { blamed, toGatewayError } from './dial-errors.js';
import type { TargetPolicy } from './target-policy.js';
import type { GiveUp, Upstream } from './upstream.js';
import type { ProxySpec, UpstreamSpec } from './upstream-url.js';

/** What every upstream is created with. */
export interface UpstreamOptions {
  /** Which targets may be contacted. */
  readonly policy: TargetPolicy;
  /** Milliseconds until a connection stands, name lookup and the proxy's part included. */
  readonly connectTimeoutMs: number;
  /** Milliseconds to the head of an answer, and between two pieces of its body. */
  readonly responseTimeoutMs: number;
  /** Told whenever a proxy tells an outgoing IP in its answers (`Upstream.tellsOutgoingIp`), the same ones again too. */
  readonly onOutgoingIp?: ((told: ToldOutgoingIp) => void) | undefined;
}

/** What a proxy has told of the way it sent something. */
export interface ToldOutgoingIp {
  readonly upstreamId: string;
  /** Of `Exits`; undefined where the upstream has one only. */
  readonly exit: string | undefined;
  /** In canonical form. */
  readonly ip: string;
}

/** All of an upstream that is known before it is used. */
export type UpstreamIdentity = Omit<Upstream, 'exits' | 'dial' | 'request' | 'upgrade' | 'close'>;

/** What others may know of an upstream: all of its specification but the credentials. */
export function identityOf(spec: UpstreamSpec): UpstreamIdentity {
  const { id, name, outgoingIp, country, state, city, weight } = spec;
  const known = { id, name, outgoingIp, country, state, city, weight };
  if (!('credentials' in spec)) return known;
  const { stickyMs, countsFrom, stickyIdleMs } = spec.sticky ?? {};
  return { ...known, stickyMs, countsFrom, stickyIdleMs, tellsOutgoingIp: spec.tellsOutgoingIp };
}

/**
 * Opens the connection to a proxy, with TLS on it for one that is spoken to over TLS.
 *
 * @throws GatewayError that names the upstream
 */
export async function connectToProxy(spec: ProxySpec, signal: GiveUp): Promise<Socket> {
  const { id, kind, host, port, insecure } = spec;
  const what = `Connecting to upstream ${id}`;
  try {
    const socket = await connectTcp({ host, port }, signal);
    if (kind !== 'https') return socket;
    const remedy = 'give the upstream `insecure: true` to accept it';
    return await startTls({ socket, name: host, verify: !insecure, signal, what, remedy });
  } catch (error) {
    const told = toGatewayError(error, what);
    const blame = told.code === 'econnrefused' || told.code === 'bad_cert' ? 'refused' : 'unreached';
    const code = ABOUT_TARGETS.get(told.code);
    const put = code === undefined ? told : new GatewayError(code, told.message, { cause: error });
    throw blamed(put, { what, signal, blame });
  }
}

/** What would tell the client that its target doesn't exist, or has a bad certificate, and what it is told instead. */
const ABOUT_TARGETS: ReadonlyMap<ErrorCode, ErrorCode> = new Map([
  ['nxdomain', 'ehostunreach'],
  ['bad_cert', 'send_failed'],
]);

/**
 * The error of a proxy that wants other credentials than it was given. Never passed on as a 407: the client would take
 * it for a refusal of its API key.
 */
export function credentialsRefused(spec: ProxySpec): GatewayError {
  const given =
    spec.credentials === undefined ? 'asks for credentials, and none are configured' : 'refused its credentials';
  return new GatewayError('send_failed', `Upstream ${spec.id} ${given}; check its URL in the configuration`, {
    blame: 'credentials',
  });
}
