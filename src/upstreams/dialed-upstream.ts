// An upstream that reaches the targets themselves: requests go over the connections it dials, in origin form, with TLS
// on them where the target wants it.

import type { Socket } from 'node:net';

import { withDeadline } from './connect.js';
import type { Peer } from './dialing-agent.js';
import { LatePool } from './late-pool.js';
import { sendRequest, sendUpgrade } from './send-request.js';
import type { Sending } from './send-request.js';
import { startTls } from './start-tls.js';
import type { DialTarget, GiveUp, RawRequest, Upstream } from './upstream.js';
import { identityOf } from './upstream-parts.js';
import type { UpstreamSpec } from './upstream-url.js';

/** How targets are reached. */
export interface DialedRoute {
  /**
   * Opens a connection to a target, in the time there is.
   *
   * @param signal fires when time is up; its reason is what the attempt fails with
   * @param what   the attempt, as the beginning of a sentence
   */
  readonly open: (target: Peer, signal: GiveUp, what: string) => Promise<Socket>;
  /** Names the way to a target in messages: `example.com:80 through proxy:1080`. */
  readonly route: (target: DialTarget) => string;
  /** Milliseconds until a connection stands, TLS included. */
  readonly connectTimeoutMs: number;
  /** Milliseconds to the head of an answer, and between two pieces of its body. */
  readonly responseTimeoutMs: number;
}

/** Creates an upstream over a way to open connections. */
export function createDialedUpstream(spec: UpstreamSpec, way: DialedRoute): Upstream {
  const { open, route, connectTimeoutMs, responseTimeoutMs } = way;
  const pool = new LatePool(dial);

  function dial(peer: Peer, signal: GiveUp): Promise<Socket> {
    const what = `Connecting to ${route(peer)}`;
    return withDeadline({ timeoutMs: connectTimeoutMs, signal, what }, async (deadline) => {
      const socket = await open(peer, deadline, what);
      const { secure, host } = peer;
      if (secure === undefined) return socket;
      const name = secure.servername ?? host;
      const remedy = `list ${host} under targets.insecure to accept it`;
      return startTls({ socket, name, verify: secure.verify, signal: deadline, what, remedy });
    });
  }

  function sendingOf(request: RawRequest): Sending {
    const { target, secure, path, headers } = request;
    const peer = { host: target.host, port: target.port, secure };
    const what = `The request to ${route(target)}`;
    return { request, pool: pool.get(), peer, path, headers, responseTimeoutMs, what };
  }

  return {
    ...identityOf(spec),
    dial: ({ host, port }, signal) => dial({ host, port }, signal),
    request: (request) => sendRequest(sendingOf(request)),
    upgrade: (request) => sendUpgrade(sendingOf(request)),
    close: async () => pool.close(),
  };
}
