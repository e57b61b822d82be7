// Upstreams as the tests here need them: allowed to contact loopback, and closed when the test is over.

import type { IncomingMessage } from 'node:http';
import type { LookupAddress } from 'node:dns';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';

import { GatewayError } from '../../src/sessions/errors.js';
import { createUpstream } from '../../src/upstreams/create-upstreams.js';
import { createTargetPolicy } from '../../src/upstreams/target-policy.js';
import type { DnsLookup } from '../../src/upstreams/target-policy.js';
import type { DialTarget, RawRequest, Upgraded, Upstream } from '../../src/upstreams/upstream.js';
import type { UpstreamOptions } from '../../src/upstreams/upstream-parts.js';
import { resolveUpstream } from '../../src/upstreams/upstream-url.js';
import type { UpstreamConfig } from '../../src/upstreams/upstream-url.js';

/** Allows every address. */
export const openPolicy = createTargetPolicy({ allowPrivate: true, isOwnAddress: () => false });

/** Creates an upstream and closes it at the end of the test. */
export function openUpstream(config: UpstreamConfig, options: Partial<UpstreamOptions> = {}): Upstream {
  const upstream = createUpstream(resolveUpstream(config), {
    policy: openPolicy,
    connectTimeoutMs: 5_000,
    responseTimeoutMs: 5_000,
    ...options,
  });
  closeLater(upstream);
  return upstream;
}

/** Closes at the end of the test, and hands back what it was given. */
export function closeLater<T extends { close(): Promise<void> }>(opened: T): T {
  onTestFinished(() => opened.close());
  return opened;
}

/** Dials and destroys the connection at the end of the test. */
export async function dial(upstream: Upstream, target: DialTarget, signal = never()): Promise<Duplex> {
  const tunnel = await upstream.dial({ host: target.host, port: target.port }, signal);
  onTestFinished(() => void tunnel.destroy());
  return tunnel;
}

/** A GET with a whole head, or what `over` says. */
export function requestTo(target: DialTarget, over: Partial<RawRequest> = {}): RawRequest {
  return {
    method: 'GET',
    target: { host: target.host, port: target.port },
    path: '/',
    headers: ['Host', `${target.host}:${target.port}`, 'Connection', 'keep-alive'],
    body: undefined,
    signal: never(),
    onSent: () => {},
    ...over,
  };
}

/** Sends what `requestTo` makes. */
export function send(upstream: Upstream, target: DialTarget, over: Partial<RawRequest> = {}): Promise<IncomingMessage> {
  return upstream.request(requestTo(target, over));
}

/** Asks for another protocol, gets it, and destroys the connection at the end of the test. */
export async function upgrade(upstream: Upstream, target: DialTarget, over: Partial<RawRequest>): Promise<Upgraded> {
  const outcome = await upstream.upgrade(requestTo(target, over));
  if (!('answer' in outcome)) throw new Error(`expected another protocol, got status ${outcome.statusCode}`);
  onTestFinished(() => void outcome.socket.destroy());
  return outcome;
}

/** The GatewayError something fails with. */
export async function failureOf(attempt: Promise<unknown>): Promise<GatewayError> {
  const outcome: unknown = await attempt.catch((error: unknown) => error);
  if (outcome instanceof GatewayError) return outcome;
  throw new Error('expected a GatewayError', { cause: outcome });
}

/** A signal that never fires. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** A lookup of fixed answers; other names are not found. */
export function lookupOf(names: Readonly<Record<string, readonly string[]>>): DnsLookup {
  return (hostname, options, callback) => {
    const wanted = (one: LookupAddress) =>
      options.family !== 4 && options.family !== 6 ? true : one.family === options.family;
    const found = (names[hostname] ?? [])
      .map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      .filter(wanted);
    const missing = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
    queueMicrotask(() => callback(found.length === 0 ? missing : null, found));
  };
}
