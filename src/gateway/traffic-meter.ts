// Bytes of one exchange on a client's connection, heads included. A connection carries many exchanges, so each counts
// from where the last one ended.

import type { Socket } from 'node:net';

/** Reads the bytes of one exchange so far. */
export interface TrafficMeter {
  /** From the client. */
  bytesOut(): number;
  /** To the client. */
  bytesIn(): number;
  /** Ends the exchange: the next meter of this connection counts from here. */
  stop(): void;
}

const counted = new WeakMap<Socket, { readonly read: number; readonly written: number }>();

/** Starts to count an exchange. */
export function createTrafficMeter(socket: Socket): TrafficMeter {
  const from = counted.get(socket) ?? { read: 0, written: 0 };
  return {
    bytesOut: () => socket.bytesRead - from.read,
    bytesIn: () => socket.bytesWritten - from.written,
    stop: () => void counted.set(socket, { read: socket.bytesRead, written: socket.bytesWritten }),
  };
}
