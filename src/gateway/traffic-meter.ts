// Bytes of one exchange on a client's connection, heads included. A connection carries many exchanges, some of them
// sent ahead of the answer before: each counts what no exchange that ended before it has counted.

import type { Socket } from 'node:net';

/** Reads the bytes of one exchange so far. */
export interface TrafficMeter {
  /** From the client. */
  bytesOut(): number;
  /** To the client. */
  bytesIn(): number;
  /** Ends the exchange: those that end later count from here. */
  stop(): void;
}

interface Counted {
  readonly read: number;
  readonly written: number;
}

const counted = new WeakMap<Socket, Counted>();

const NOTHING: Counted = { read: 0, written: 0 };

/** Starts to count an exchange. */
export function createTrafficMeter(socket: Socket): TrafficMeter {
  const soFar = (): Counted => counted.get(socket) ?? NOTHING;
  return {
    bytesOut: () => socket.bytesRead - soFar().read,
    bytesIn: () => socket.bytesWritten - soFar().written,
    stop: () => void counted.set(socket, { read: socket.bytesRead, written: socket.bytesWritten }),
  };
}
