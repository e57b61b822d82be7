// The least that a proxy on node:http does: parse, send on through kept connections, pipe the answer back. It checks and
// counts nothing. What a gateway costs beyond it is what its features cost.

import { once } from 'node:events';
import http from 'node:http';

import { answerParent } from '../../shared/parent.js';

const agent = new http.Agent({ keepAlive: true, maxFreeSockets: Infinity });

answerParent({
  async listen() {
    const server = http.createServer(forward);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: server.address().port };
  },
});

function forward(req, res) {
  const { hostname: host, port, pathname, search } = new URL(req.url);
  const { method, rawHeaders: headers } = req;
  const out = http.request({ agent, host, port, method, path: pathname + search, headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
    answer.pipe(res);
  });
  out.on('error', () => res.destroy());
  req.pipe(out);
}
