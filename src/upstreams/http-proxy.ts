// A way out through an HTTP proxy, spoken to in the clear or over TLS: plain requests in absolute form, tunnels by CONNECT. The proxy resolves names. What
// it answers for itself can be told from the target's answer only on CONNECT, and by 407.

import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Socket } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { withDeadline } from './connect.js';
import { blamed, withBlame } from './dial-errors.js';
import { createDialedUpstream } from './dialed-upstream.js';
import { MAX_HEADER_BYTES } from './exchange.js';
import { LatePool } from './late-pool.js';
import { canonical } from './redact-url.js';
import { without } from './request-framing.js';
import { sendRequest } from './send-request.js';
import { bracketed, toAuthority } from './target-address.js';
import type { DialTarget, GiveUp, RawRequest, Upstream } from './upstream.js';
import { connectToProxy, credentialsRefused } from './upstream-parts.js';
import type { UpstreamOptions } from './upstream-parts.js';
import type { ProxySpec } from './upstream-url.js';

/** Creates the upstream of `http://` and `https://`. */
export function createHttpProxyUpstream(spec: ProxySpec, options: UpstreamOptions): Upstream {
  const { connectTimeoutMs, responseTimeoutMs } = options;
  const route = (target: DialTarget) => `${toAuthority(target)} through ${spec.id}`;
  const pool = new LatePool((_, signal) => {
    const what = `Connecting to upstream ${spec.id}`;
    return withDeadline({ timeoutMs: connectTimeoutMs, signal, what }, (deadline) => connectToProxy(spec, deadline));
  });

  /** Looked for only where the vendor is known to tell it: a target may send any field. */
  function hearOutgoingIp(answer: IncomingMessage): void {
    const told = spec.tellsOutgoingIp === undefined ? undefined : answer.headers[spec.tellsOutgoingIp];
    // Two of them, the target's beside the proxy's, come as one that is no address; so do the hashes some have there.
    if (typeof told !== 'string' || isIP(told) === 0) return;
    options.onOutgoingIp?.({ upstreamId: spec.id, exit: undefined, ip: canonical(told) });
  }

  /** A plain request, which the proxy itself sends on. */
  async function requestPlain(asked: RawRequest): Promise<IncomingMessage> {
    const sending = sendRequest({
      request: asked,
      pool: pool.get(),
      peer: { host: spec.host, port: spec.port },
      path: absoluteForm(asked),
      headers: [...without(asked.headers, 'proxy-authorization'), ...authorizationOf(spec)],
      responseTimeoutMs,
      what: `The request to ${route(asked.target)}`,
    });
    const answer = await sending.catch((error: unknown) => {
      throw isBrokenOff(error) ? withBlame(error, 'failed') : error;
    });
    hearOutgoingIp(answer);
    if (answer.statusCode !== 407) return answer;
    answer.destroy();
    throw credentialsRefused(spec);
  }

  async function open(target: DialTarget, signal: GiveUp, what: string): Promise<Socket> {
    const socket = await connectToProxy(spec, signal);
    const { answer, head } = await askForTunnel({ spec, socket, target, signal }).catch((error: unknown) => {
      throw blamed(error, { what, signal, blame: 'failed' });
    });
    const { statusCode: status = 0 } = answer;
    hearOutgoingIp(answer);
    // RFC 9110 section 9.3.6: any 2xx opens the tunnel.
    if (status >= 200 && status < 300) {
      if (head.length > 0) socket.unshift(head);
      return socket;
    }
    socket.destroy();
    if (status === 407) throw credentialsRefused(spec);
    throw new GatewayError(status === 504 ? 'timeout' : 'ehostunreach', `${what} failed: it answered ${status}`, {
      // Ours: a proxy that answers is a living one. It says 502, 503 or 504 of a target that is not there as of an exit
      // of its own that is not, so a list of dead names would take down a good one. Of 402 only its owner is the reason.
      blame: status === 402 ? 'failed' : 'target',
    });
  }

  const tunnels = createDialedUpstream(spec, { open, route, connectTimeoutMs, responseTimeoutMs });
  return {
    ...tunnels,
    request: (asked) => (asked.secure === undefined ? requestPlain(asked) : tunnels.request(asked)),
    close: async () => {
      pool.close();
      await tunnels.close();
    },
  };
}

/**
 * Whether a proxy broke off a plain request before it answered. Of a target that does so it has to answer 502 (RFC 9110
 * section 15.6.3), so this is its own doing.
 */
function isBrokenOff(error: unknown): error is GatewayError {
  if (!(error instanceof GatewayError) || error.blame !== undefined) return false;
  return error.code === 'econnreset' || error.code === 'socket_closed_remotely';
}

interface TunnelQuestion {
  readonly spec: ProxySpec;
  readonly socket: Socket;
  readonly target: DialTarget;
  readonly signal: GiveUp;
}

/** Sends CONNECT; the answer and what came behind its head. */
function askForTunnel(question: TunnelQuestion): Promise<{ answer: IncomingMessage; head: Buffer }> {
  const { spec, socket, target, signal } = question;
  const authority = toAuthority(target);
  return new Promise((resolve, reject) => {
    const connect = http.request({
      method: 'CONNECT',
      path: authority,
      headers: ['Host', authority, ...authorizationOf(spec), 'Connection', 'keep-alive'],
      createConnection: () => socket,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: true,
    });
    const onAbort = () => {
      reject(signal.reason);
      connect.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    connect.once('connect', (answer, _, head) => resolve({ answer, head }));
    connect.on('error', reject);
    connect.once('close', () => signal.removeEventListener('abort', onAbort));
    connect.end();
  });
}

/** The request target a proxy wants (RFC 9112 section 3.2.2); a port that `Host` needn't name isn't named here either. */
function absoluteForm({ target, path }: RawRequest): string {
  const authority = target.port === 80 ? bracketed(target.host) : toAuthority(target);
  return `http://${authority}${path === '*' ? '' : path}`;
}

function authorizationOf({ credentials }: ProxySpec): readonly string[] {
  if (credentials === undefined) return [];
  const token = Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
  return ['Proxy-Authorization', `Basic ${token}`];
}
