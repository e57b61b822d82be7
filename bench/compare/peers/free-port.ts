// Ports for proxies that can't say which one they took, and how to know that they listen.

import { once } from 'node:events';
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** How long a proxy may take to listen, in milliseconds. */
const LISTENS_WITHIN_MS = 10_000;

/** Finds a port that nobody listens on now. */
export async function findFreePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until somebody listens. @throws where nobody does in time, or `ended` says that nobody will */
export async function waitForPort(port: number, ended: () => string | undefined): Promise<void> {
  const untilMs = performance.now() + LISTENS_WITHIN_MS;
  while (!(await accepts(port))) {
    const why = ended();
    if (why !== undefined) throw new Error(why);
    if (performance.now() > untilMs) throw new Error(`Nobody listens on port ${port}`);
    await setTimeout(20);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // Not yet.
    return false;
  } finally {
    socket.destroy();
  }
}
