// The middle of a long body: between connections like the bytes of a tunnel, past node's parser, which would copy it and
// hand it over in pieces that all have to be collected again. The parser reads the head, and so it says where the body ends.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { BulkReader } from './bulk-reader.js';

/** What is left of a body is at least so much longer than a piece that it is worth it. */
const WORTH_BYTES = 256 * 1024;

/**
 * Passes most of what is left of a body to a connection. Its last piece comes with the answer itself, as all would have.
 * Changes nothing where that can't be done: on TLS, in chunks, while something waits to be read, and near the end.
 *
 * @param to        where the head and all of the body before were written to; whoever writes to it next does so when the
 *   last piece has come
 * @param bytesRead bytes of the body that have been read from the answer
 */
export function passStraight(answer: IncomingMessage, to: Duplex, bytesRead: number): void {
  const reader = BulkReader.of(answer.socket);
  if (reader === undefined || answer.readableLength > 0 || answer.socket.readableLength > 0) return;
  const bytesLeft = lengthOf(answer) - bytesRead;
  if (!(bytesLeft >= WORTH_BYTES)) return;
  reader.passMost(to, bytesLeft, (readLast) => {
    // Node looks at this behind each piece, and makes the connection ready for the next request. Its parser, which takes
    // the last piece for one of many, starts anew with that.
    answer.complete = true;
    readLast();
    answer.push(null);
  });
}

/** NaN for a body that has no length of its own. A length beside chunks was taken out of the head. */
function lengthOf({ headers }: IncomingMessage): number {
  return Number(headers['transfer-encoding'] === undefined ? headers['content-length'] : undefined);
}
