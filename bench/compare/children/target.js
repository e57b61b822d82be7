// The target of all rows, as light as it can be, so that it is never what is measured: it looks for the end of a request's
// head and writes an answer made before. Requests have no body.

import { once } from 'node:events';
import net from 'node:net';

import { answerParent } from '../../shared/parent.js';

/** What bulk goes in, in bytes. */
const PIECE = Buffer.alloc(256 * 1024, 'x');

const answers = new Map();
/** Answers given, by port. */
const given = new Map();
let taken = 0;

answerParent({
  /** Starts the three servers: answers of the size that the path names, bytes without end, a sink. */
  async listen() {
    return { answers: await listen(answerRequests), source: await listen(pour), sink: await listen(swallow) };
  },

  /** Starts another server that answers requests. */
  listenForOne: async () => ({ port: await listen(answerRequests) }),

  answered: ({ port }) => given.get(port) ?? 0,

  /** Bytes that the sink has taken so far. */
  taken: () => taken,
});

async function listen(serve) {
  const server = net.createServer({ noDelay: true }, (socket) => {
    // Whoever is done just leaves.
    socket.on('error', () => socket.destroy());
    serve(socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return server.address().port;
}

function answerRequests(socket) {
  const { localPort } = socket;
  let head = '';
  socket.on('data', (chunk) => {
    head += chunk.latin1Slice();
    if (!head.endsWith('\r\n\r\n')) return;
    socket.write(answerOf(Number(head.slice(head.indexOf('/') + 1, head.indexOf(' HTTP/')))));
    given.set(localPort, (given.get(localPort) ?? 0) + 1);
    // As HTTP/1.0 proxies want it.
    if (/^connection: *close/im.test(head)) socket.end();
    head = '';
  });
}

function answerOf(bytes) {
  const known = answers.get(bytes);
  if (known !== undefined) return known;
  const head = [
    'HTTP/1.1 200 OK',
    'Date: Sun, 22 Nov 2026 12:00:00 GMT',
    'Content-Type: text/html; charset=utf-8',
    `Content-Length: ${bytes}`,
    '\r\n',
  ].join('\r\n');
  const answer = Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 'x')]);
  answers.set(bytes, answer);
  return answer;
}

/** Sends without end, from the first byte that comes on. */
function pour(socket) {
  const more = () => {
    while (socket.writable && socket.write(PIECE)) continue;
  };
  socket.on('drain', more);
  socket.once('data', more);
}

function swallow(socket) {
  socket.on('data', (chunk) => (taken += chunk.length));
}
