// proxy-chain's own server, as it comes: it forwards, dials and tunnels itself. It asks for a user where one is given.

import { Server } from 'proxy-chain';

import { answerParent } from '../../shared/parent.js';

answerParent({
  async listen({ user }) {
    const server = new Server({ port: 0, host: '127.0.0.1', ...(user && { prepareRequestFunction: check(user) }) });
    await server.listen();
    return { port: server.port };
  },

  /** Needs `--expose-gc`. */
  residentBytes() {
    globalThis.gc();
    globalThis.gc();
    return process.memoryUsage.rss();
  },
});

function check({ name, password: known }) {
  return ({ username, password }) => ({ requestAuthentication: username !== name || password !== known });
}
