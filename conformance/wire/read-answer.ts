// Reads one answer from a connection that the checks wrote to themselves. node's own parser does the parsing, strictly,
// and keeps names and values as they stood on the wire; this file adds only the plumbing that hands it the bytes.

import http, { type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';

/** An answer as it stood on the wire. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly httpVersion: string;
  /** Names and values in turn, in their case and order. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** Bytes that came behind the head of an answer that opens a tunnel or an upgrade, in one piece with it. */
  readonly behind: number;
  /** When its head was read, in milliseconds of this process's monotonic clock. */
  readonly atMs: number;
}

/**
 * Reads one answer. The connection can be used on afterwards; what came behind an opened tunnel is still in it.
 *
 * @param method of the request that is answered: without it the end of an answer can't be told
 * @throws Error when the connection ends or breaks before the answer is whole, or what comes is not HTTP
 */
export function readAnswer(connection: Duplex, method: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const wire = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const release = connect(connection, wire);
    // node writes this request into `wire`, which drops it: the true one is the caller's.
    const parser = http.request({ method, createConnection: () => wire, maxHeaderSize: 256 * 1024 });
    const settle = (answer: Answer | Error): void => {
      release();
      if (answer instanceof Error) reject(answer);
      else resolve(answer);
    };
    parser.on('error', settle);
    parser.on('response', (message) => {
      readBody(message).then((body) => settle(answerOf(message, body, 0)), settle);
    });
    const onOpened = (message: IncomingMessage, _socket: unknown, head: Buffer): void => {
      // A refused CONNECT has a body; node hands what came of it over like bytes of a tunnel.
      const isOpen = message.statusCode === 101 || (message.statusCode ?? 0) < 300;
      if (isOpen && head.length > 0) connection.unshift(head);
      settle(answerOf(message, isOpen ? '' : head.toString('utf8'), isOpen ? head.length : 0));
    };
    parser.on('connect', onOpened);
    parser.on('upgrade', onOpened);
    parser.end();
  });
}

/** Reads what comes next on a connection that an answer has opened. @throws Error when it is closed instead */
export function readBytes(connection: Duplex): Promise<string> {
  return new Promise((resolve, reject) => {
    connection.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
    connection.once('close', () => reject(new Error('the connection was closed')));
    connection.resume();
  });
}

/** Feeds what arrives on the connection to the parser, until released. */
function connect(connection: Duplex, wire: Duplex): () => void {
  const onData = (chunk: Buffer): void => void wire.push(chunk);
  const onEnd = (): void => void wire.push(null);
  const onError = (error: Error): void => void wire.destroy(error);
  const onClose = (): void => void wire.destroy(new Error('the connection was closed before the answer was whole'));
  connection.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  connection.resume();
  // A connection that the server has closed since the answer before tells nothing any more.
  if (connection.destroyed) setImmediate(onClose);
  return () => {
    connection.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    connection.pause();
  };
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function answerOf(message: IncomingMessage, body: string, behind: number): Answer {
  const { statusCode = 0, statusMessage = '', httpVersion, rawHeaders } = message;
  return { status: statusCode, reason: statusMessage, httpVersion, rawHeaders, body, behind, atMs: performance.now() };
}
