// Bare proxy-chain as a command: starts, and says where it listens.

import { Server } from 'proxy-chain';

const server = new Server({ port: 0, host: '127.0.0.1' });
await server.listen();
process.stdout.write(`proxy-chain listens on http://127.0.0.1:${server.port}\n`);
