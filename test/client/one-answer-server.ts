// Servers with one answer for everything, and clients of them.

import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { onTestFinished } from 'vitest';

import { SessionsClient } from '../../src/client/index.js';
import { closedPort } from '../support/target-raw.js';
import { closeServer, listenOnFreePort } from '../support/target-port.js';

export const KEY = 'test-key-0123';

/** A call as the server saw it. */
export interface SeenCall {
  readonly call: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
}

/** What a server does with a call. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server with one answer for everything, and a client of it. */
export async function serve(
  answer: Answer,
  timeoutMs?: number,
): Promise<{ client: SessionsClient; seen: SeenCall[]; url: string }> {
  const seen: SeenCall[] = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { authorization, 'content-type': contentType } = request.headers;
      seen.push({ call: `${request.method} ${request.url}`, authorization, contentType, body });
      answer(request, response);
    });
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  const port = await listenOnFreePort(server);
  return {
    client: new SessionsClient(`http://${KEY}:@127.0.0.1:${port}`, { timeoutMs }),
    seen,
    url: `http://127.0.0.1:${port}`,
  };
}

/** Answers JSON. */
export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Answers text. */
export function plain(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_, response) => response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body);
}

/** Gives a client of an address where nobody listens. */
export async function unusedAddress(): Promise<{ client: SessionsClient; url: string }> {
  const url = `http://127.0.0.1:${await closedPort()}`;
  return { client: new SessionsClient(url.replace('//', `//${KEY}:@`)), url };
}
