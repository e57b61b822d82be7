// What the proxy before browsers does with heads and waiting clients, whatever they are about.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { isHopByHop } from '../protocol/header-names.js';
import { connectionOptionsOf, fieldsOf } from '../protocol/raw-headers.js';
import type { RawHeaders } from '../protocol/raw-headers.js';

/** The fields that go on from one connection to the next, in order, but for those that are to be dropped beside. */
export function passedFields(raw: RawHeaders, isDropped: (lowerCaseName: string) => boolean = () => false): string[] {
  const connectionOptions = connectionOptionsOf(raw);
  const passed = [...fieldsOf(raw)].filter(([field]) => {
    const name = field.toLowerCase();
    return !isHopByHop(name, connectionOptions) && !isDropped(name);
  });
  return passed.flat();
}

/** The head of an answer as it stood on the wire. */
export function headOf({ statusCode = 502, statusMessage = '', rawHeaders }: IncomingMessage): string {
  const fields = [...fieldsOf(rawHeaders)].map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${fields.join('')}\r\n`;
}

/**
 * Watches a client that waits for its tunnel, which shows that it left only while it is read; what it sends meanwhile, at
 * most one chunk, is kept.
 */
export function watchLeaving(client: Duplex, head: Buffer, onLeft: () => void): { readonly stop: () => Buffer } {
  const chunks = [head];
  const keep = (chunk: Buffer): void => {
    chunks.push(chunk);
    client.pause();
  };
  const leave = (): void => {
    onLeft();
    client.destroy();
  };
  client.on('data', keep).once('end', leave).once('close', onLeft);
  const stop = (): Buffer => {
    client.pause().off('data', keep).off('end', leave);
    return Buffer.concat(chunks);
  };
  return { stop };
}
