// The target: an HTTPS server with one small answer. Its connections outlive the pauses between rounds, so that what a
// proxy keeps open stays open.

import { once } from 'node:events';
import https from 'node:https';

import { answerParent } from '../../shared/parent.js';

const KEPT_OPEN_MS = 65_000;

answerParent({
  async listen({ key, cert, answerBytes }) {
    const body = Buffer.alloc(answerBytes, 'x');
    const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': answerBytes };
    const server = https.createServer({ key, cert, keepAliveTimeout: KEPT_OPEN_MS }, (_, response) => {
      response.writeHead(200, headers).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: server.address().port };
  },
});
