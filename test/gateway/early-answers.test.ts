import { expect, test } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { startTarget } from '../support/gateway.js';
import { openRaw, proxyAuth, readAnswer } from '../support/raw-client.js';

const MEGABYTE = 1024 * 1024;

for (const [name, framing, frame] of [
  ['with a length', `Content-Length: ${8 * MEGABYTE}`, (piece: Buffer) => piece],
  [
    'in chunks',
    'Transfer-Encoding: chunked',
    (piece: Buffer) => Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
  ],
] as const) {
  test(`a body ${name} that the target answers without reading leaves the connection usable`, async () => {
    const [{ port }, target] = [
      await startGateway({ upstreams: ['local://127.0.0.2'] }),
      await startTarget((req, res) => {
        res.setHeader('Content-Length', 2).end('ok');
        // Read on at last, as a server that only looks at the head does when it closes.
        if (req.method === 'POST') req.resume();
      }),
    ];
    const head = `POST ${target.url}/ HTTP/1.1\r\nHost: x\r\n${proxyAuth()}${framing}\r\n\r\n`;
    const socket = openRaw(port, head);
    const first = await readAnswer(socket);
    expect(first.status).toBe(200);
    for (let index = 0; index < 8; index += 1) socket.write(frame(Buffer.alloc(MEGABYTE, 'a')));
    if (framing.startsWith('Transfer')) socket.write('0\r\n\r\n');
    const next = readAnswer(socket);
    socket.write(`GET ${target.url}/next HTTP/1.1\r\nHost: x\r\n${proxyAuth()}\r\n`);
    expect((await next).body).toBe('ok');
  });
}
