// An answer by node:http on a connection that node has given up: one whose request asked for another protocol.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Makes the answer to a request on its connection, which is closed behind it. */
export function responseOn(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.once('finish', () => socket.end());
  // Without a listener, an error on a connection that is already torn down would end the process.
  res.on('error', () => undefined);
  // What the client still sends is dropped: unread, it would hide that its client leaves.
  socket.resume();
  return res;
}
