// Finds out whether one upstream works, as far as that is possible without asking anybody unasked: what the user named a
// URL for is asked all the way, other proxies are only connected to, and addresses of this machine are bound.

import { randomUUID } from 'node:crypto';
import dgram from 'node:dgram';
import { isIP, isIPv6 } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { askThrough } from './ask-url.js';
import { withDeadline } from './connect.js';
import { createUpstream } from './create-upstreams.js';
import { readEchoedIp } from './echoed-ip.js';
import type { Exits } from './upstream.js';
import { connectToProxy, type ToldOutgoingIp, type UpstreamOptions } from './upstream-parts.js';
import type { ProxySpec, UpstreamSpec } from './upstream-url.js';

/** A URL to ask for through proxies. */
export interface CheckUrl {
  readonly url: string;
  /** Whether its certificate is verified. */
  readonly verify: boolean;
}

/** What is checked, and with what. */
export interface UpstreamCheck {
  readonly spec: UpstreamSpec;
  readonly options: UpstreamOptions;
  /** Undefined: nobody is asked. */
  readonly ask: CheckUrl | undefined;
  readonly signal: AbortSignal;
}

/** What was found out. */
export interface CheckedUpstream {
  readonly isOk: boolean;
  /** The address targets see, if it is known by now. */
  readonly outgoingIp: string | undefined;
  /** What was done, or what is wrong; one line, without credentials. */
  readonly remark: string;
}

/** Checks an upstream. Never rejects. */
export async function checkUpstream(check: UpstreamCheck): Promise<CheckedUpstream> {
  const { spec } = check;
  const known = isIP(spec.outgoingIp) === 0 ? undefined : spec.outgoingIp;
  try {
    const found = await find(check);
    return { isOk: true, ...found, outgoingIp: known ?? found.outgoingIp };
  } catch (error) {
    const remark = error instanceof Error ? error.message : String(error);
    return { isOk: false, outgoingIp: known, remark };
  }
}

interface Found {
  readonly outgoingIp: string | undefined;
  readonly remark: string;
}

async function find(check: UpstreamCheck): Promise<Found> {
  const { spec, ask } = check;
  if (spec.kind === 'local' || spec.kind === 'prefix') return bindOwn(check);
  if (ask !== undefined) return askUrl(check, ask);
  if (spec.kind === 'direct') return { outgoingIp: undefined, remark: 'not asked: no URL to ask is configured' };
  await connectOnly(spec, check);
  return { outgoingIp: undefined, remark: 'accepts connections; credentials not tried: no URL to ask is configured' };
}

/** Binds the address, or one that is drawn of the prefix. */
async function bindOwn({ spec, options }: UpstreamCheck): Promise<Found> {
  const upstream = createUpstream(spec, options);
  const address = addressOf(upstream.exits, spec);
  await upstream.close();
  await bind(address);
  return {
    outgoingIp: address,
    remark: spec.kind === 'prefix' ? 'one address of it can be left from' : 'can be left from',
  };
}

function addressOf(exits: Exits | undefined, spec: UpstreamSpec): string {
  return exits?.draw(randomUUID()).outgoingIp ?? spec.outgoingIp;
}

/** A datagram socket, since nobody can connect to it while it is bound. */
function bind(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      const words = error.code === 'EADDRNOTAVAIL' ? 'is not one of this machine' : 'can not be left from';
      reject(new GatewayError('send_failed', `${address} ${words} (${error.code})`, { cause: error }));
    });
    socket.bind({ address, port: 0, exclusive: true }, () => socket.close(() => resolve()));
  });
}

async function connectOnly(spec: ProxySpec, { options, signal }: UpstreamCheck): Promise<void> {
  const what = `Connecting to upstream ${spec.id}`;
  const deadline = { timeoutMs: options.connectTimeoutMs, signal, what };
  const socket = await withDeadline(deadline, (inTime) => connectToProxy(spec, inTime));
  socket.destroy();
}

async function askUrl({ spec, options, signal }: UpstreamCheck, ask: CheckUrl): Promise<Found> {
  let told: string | undefined;
  const onOutgoingIp = ({ ip }: ToldOutgoingIp): void => void (told = ip);
  const upstream = createUpstream(spec, { ...options, onOutgoingIp });
  try {
    const { status, text } = await askThrough(upstream, { ...ask, signal });
    // Over plain http a proxy's own failure looks like the answer, so what is no success is a fault for the user to look at.
    if (status >= 400) throw new GatewayError('send_failed', `${ask.url} was answered with ${status}`);
    return { outgoingIp: readEchoedIp(text) ?? told, remark: `answered ${status}` };
  } finally {
    await upstream.close();
  }
}
