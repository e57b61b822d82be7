// What a replayed client writes on, byte by byte: the connection to the gateway itself for http, a TLS connection in
// a tunnel for https.

import type { Socket } from 'node:net';
import tls from 'node:tls';
import { readFile } from 'node:fs/promises';
import { expect, onTestFinished } from 'vitest';
import type { TestTarget } from '../support/gateway.js';
import { openRaw, type RawAnswer, readAnswer } from '../support/raw-client.js';
import type { ClientGateway } from './setting.js';

/** A connection on which requests follow one another. */
export interface Wire {
  /** Sends one request and reads its answer. */
  readonly send: (bytes: string) => Promise<RawAnswer>;
}

/** Opens the connection to the gateway itself. */
export function openPlainWire({ port }: ClientGateway): Wire {
  return wireOf(openRaw(port, ''));
}

/** How a client gets a TLS connection through the gateway. */
export interface Tunnelling {
  /** All bytes of its CONNECT. */
  readonly connect: string;
  /** PEM; what the other end has to be certified by. */
  readonly ca: string;
}

/** Sends a CONNECT, wants exactly 200 and nothing behind it, and starts TLS. */
export async function openTunnelWire({ port }: ClientGateway, { connect, ca }: Tunnelling): Promise<Wire> {
  const socket = openRaw(port, connect);
  const answer = await readAnswer(socket);
  expect([answer.status, answer.body]).toEqual([200, '']);
  return wireOf(await startTls(socket, ca));
}

/** Opens what the scheme of the target wants. */
export async function openWire(gateway: ClientGateway, target: TestTarget, connect: string): Promise<Wire> {
  if (target.url.startsWith('http:')) return openPlainWire(gateway);
  return openTunnelWire(gateway, { connect, ca: await readFile(gateway.caFile, 'utf8') });
}

function wireOf(socket: Socket): Wire {
  return {
    send: (bytes) => {
      socket.write(bytes);
      return readAnswer(socket);
    },
  };
}

/** As browsers do it: offers HTTP/2, and can do without. */
async function startTls(socket: Socket, ca: string): Promise<tls.TLSSocket> {
  const secure = tls.connect({ socket, host: '127.0.0.1', ca, ALPNProtocols: ['h2', 'http/1.1'] });
  onTestFinished(() => void secure.destroy());
  await new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject));
  expect(secure.alpnProtocol).toBe('http/1.1');
  return secure;
}
