// Bytes of one exchange on a client's connection, heads included. A connection carries many exchanges, some of them
// sent ahead of the answer before: each counts what no exchange that ended before it has counted.

import type { Socket } from 'node:net';

/** Bytes of an exchange. */
export interface Traffic {
  /** From the client. */
  readonly bytesOut: number;
  /** To the client. */
  readonly bytesIn: number;
}

/** What the exchanges of one connection that have ended have counted. */
interface Counted {
  read: number;
  written: number;
}

const countedOf = new WeakMap<Socket, Counted>();

/** Ends an exchange: its bytes are counted, and those that end later count from here. */
export function countTraffic(socket: Socket): Traffic {
  const { bytesRead, bytesWritten } = socket;
  const counted = countedOf.get(socket);
  if (counted === undefined) {
    countedOf.set(socket, { read: bytesRead, written: bytesWritten });
    return { bytesOut: bytesRead, bytesIn: bytesWritten };
  }
  const traffic = { bytesOut: bytesRead - counted.read, bytesIn: bytesWritten - counted.written };
  counted.read = bytesRead;
  counted.written = bytesWritten;
  return traffic;
}
