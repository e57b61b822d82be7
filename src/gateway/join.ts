// Two connections made one: bytes pass both ways, unseen.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BulkReader } from '../upstreams/bulk-reader.js';

/** Idle tunnels are legal for hours; a dead peer is found by the system's own probes, from this long on. */
const KEEP_ALIVE_AFTER_MS = 60_000;

/** Passes bytes both ways until both sides are closed; one side's end ends the other's, not both. */
export function join(client: Duplex, remote: Duplex): Promise<void> {
  if (client instanceof Socket) {
    client.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
    client.setNoDelay(true);
  }
  return new Promise((resolve) => {
    let open = 2;
    const closeWith = (side: Duplex, other: Duplex): void => {
      const onClose = (): void => {
        // Nothing can be passed on to a closed side; what it sent before still goes to the other.
        if (side.readableEnded && !other.writableFinished && !other.destroyed) other.end(() => other.destroy());
        else other.destroy();
        open -= 1;
        if (open === 0) resolve();
      };
      // A reset has no half-close to wait for; both ends have been told by then.
      side.on('error', () => other.destroy());
      // One that is closed already says so no more.
      if (side.closed) onClose();
      else side.on('close', onClose);
    };
    closeWith(client, remote);
    closeWith(remote, client);
    passOn(client, remote);
    passOn(remote, client);
  });
}

/** Passes on all that comes, and its end. */
function passOn(from: Duplex, to: Duplex): void {
  const reader = BulkReader.of(from);
  if (reader !== undefined) return reader.passTo(to);
  from.on('end', () => to.end());
  from.on('data', (piece) => {
    // Most pieces are above the mark and sent at once all the same: then there is nothing to wait for.
    if (to.write(piece) || to.writableLength === 0) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  // It may have been paused while its answer was due.
  from.resume();
}
