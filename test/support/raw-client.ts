// A client that writes the bytes a test gives it, and shows the answer as it stood on the wire.

import net, { type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { API_KEY } from './gateway.js';

/** An answer, taken apart no further than a test needs. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn, as they stood on the wire. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** The value of a field, found by its exact name. */
  readonly header: (name: string) => string | undefined;
}

/** The line that authorizes a client; `password` carries the parameters. */
export function proxyAuth(password = '', key = API_KEY): string {
  return `Proxy-Authorization: Basic ${Buffer.from(`${key}:${password}`).toString('base64')}\r\n`;
}

/** Opens a connection and writes to it. */
export function openRaw(port: number, bytes: string | Buffer): Socket {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.write(bytes);
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Sends bytes on a connection of their own and reads one answer. */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<RawAnswer> {
  const socket = openRaw(port, bytes);
  const answer = await readAnswer(socket);
  socket.destroy();
  return answer;
}

/** Sends a GET through the gateway. */
export function sendGet(port: number, url: string, headers = '', password = ''): Promise<RawAnswer> {
  return sendRaw(port, `GET ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n${proxyAuth(password)}${headers}\r\n`);
}

/** Sends a CONNECT and reads its answer; the socket is then the tunnel, or closed. */
export async function sendConnect(
  port: number,
  authority: string,
  { headers = '', password = '' }: { readonly headers?: string; readonly password?: string } = {},
): Promise<{ readonly socket: Socket; readonly answer: RawAnswer }> {
  const head = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${proxyAuth(password)}${headers}\r\n`;
  const socket = openRaw(port, head);
  return { socket, answer: await readAnswer(socket) };
}

/** Reads one answer from a connection, by its Content-Length, its chunks, or the end of the connection. */
export function readAnswer(socket: Socket): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const finish = (): void => {
      socket.off('data', onData);
      socket.off('close', onEnd);
      socket.off('end', onEnd);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const answer = parseAnswer(text, false);
      if (answer === undefined) return;
      finish();
      resolve(answer);
    };
    const onEnd = (): void => {
      finish();
      const answer = parseAnswer(text, true);
      if (answer === undefined) reject(new Error(`The connection ended with ${JSON.stringify(text.slice(0, 200))}`));
      else resolve(answer);
    };
    socket.on('data', onData);
    socket.on('close', onEnd);
    socket.on('end', onEnd);
  });
}

function parseAnswer(text: string, ended: boolean): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const rawHeaders = lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
  const [, status = '', reason = ''] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine) ?? [];
  const body = text.slice(end + 4);
  const header = (name: string): string | undefined => {
    const index = rawHeaders.findIndex((field, position) => position % 2 === 0 && field === name);
    return index === -1 ? undefined : rawHeaders[index + 1];
  };
  const length = rawHeaders[rawHeaders.findIndex((field) => field.toLowerCase() === 'content-length') + 1];
  const hasLength = rawHeaders.some((field, index) => index % 2 === 0 && field.toLowerCase() === 'content-length');
  const isChunked = header('Transfer-Encoding') === 'chunked';
  const isTunnel = reason === 'Connection Established';
  const complete =
    isTunnel ||
    status === '204' ||
    (hasLength && body.length >= Number(length)) ||
    (isChunked && body.endsWith('0\r\n\r\n'));
  return complete || ended ? { status: Number(status), reason, rawHeaders, body, header } : undefined;
}
