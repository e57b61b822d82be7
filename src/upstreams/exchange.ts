// One try at one request: from the connection to the end of the answer's body, with its clock and its ways to end.

import http from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { abortError, isConnectionLoss } from './dial-errors.js';
import type { DialingAgent, DialingRequestOptions } from './dialing-agent.js';
import { sendBody } from './send-body.js';
import type { FramedHead } from './request-framing.js';
import type { DialTarget, RawRequest } from './upstream.js';

/** Bytes an answer's head may have: as many as a request's. */
export const MAX_HEADER_BYTES = 102_400;

/** A request, and the way it takes. */
export interface ExchangeOptions {
  readonly request: Pick<RawRequest, 'method' | 'body' | 'signal' | 'onSent'>;
  readonly agent: DialingAgent;
  /** Where the connection leads: the target, or the proxy that is told the target. */
  readonly peer: DialTarget;
  /** The target of the request line. */
  readonly path: string;
  readonly head: FramedHead;
  /** Milliseconds to the head of the answer, and between two pieces of its body. */
  readonly responseTimeoutMs: number;
  /** The attempt, as the beginning of a sentence. */
  readonly what: string;
}

/**
 * Sends a request and waits for the head of its answer.
 *
 * @returns the answer, its body still to be read; `stale` if the connection came from the pool and was dead before a
 *   byte of the answer came
 * @throws GatewayError if it was given up or late; otherwise what Node reports
 */
export function exchange(options: ExchangeOptions): Promise<IncomingMessage | 'stale'> {
  return new Promise((resolve, reject) => {
    void new Exchange(options, resolve, reject);
  });
}

class Exchange {
  readonly #options: ExchangeOptions;
  readonly #resolve: (outcome: IncomingMessage | 'stale') => void;
  readonly #reject: (error: Error) => void;
  readonly #sent: ClientRequest;
  #socket: Socket | undefined;
  #bytesBefore = 0;
  #answer: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: ExchangeOptions,
    resolve: (outcome: IncomingMessage | 'stale') => void,
    reject: (error: Error) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#sent = http.request(requestOptions(options));
    // The head's size is bounded; the number of its lines needn't be, and Node would drop those past 2,000 unseen.
    this.#sent.maxHeadersCount = 0;
    this.#sent.once('socket', (socket) => this.#send(socket));
    this.#sent.once('response', (answer) => this.#receive(answer));
    this.#sent.once('upgrade', (_, socket) => this.#refuseUpgrade(socket));
    this.#sent.on('error', (error) => this.#fail(error));
    this.#sent.once('close', () => this.#end());
    options.request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => this.#giveUp(abortError(this.#options.request.signal, this.#options.what));
  readonly #onProgress = (): void => void this.#timer?.refresh();

  #send(socket: Socket): void {
    const { request, head, responseTimeoutMs } = this.#options;
    this.#socket = socket;
    this.#bytesBefore = socket.bytesRead;
    this.#timer = setTimeout(() => this.#expire(), responseTimeoutMs);
    if (request.body === undefined) this.#sent.end();
    else {
      const onFault = (error: GatewayError) => this.#giveUp(error);
      const { bodyBytes } = head;
      sendBody({ body: request.body, bodyBytes, to: this.#sent, onProgress: this.#onProgress, onFault });
    }
    request.onSent();
  }

  #receive(answer: IncomingMessage): void {
    this.#answer = answer;
    const fault = faultOf(answer);
    if (fault !== undefined) {
      return this.#giveUp(new GatewayError('send_failed', `${this.#options.what} failed: ${fault}`));
    }
    // From here on the clock is that of the body. The parser's own listener keeps the socket flowing.
    this.#socket?.on('data', this.#onProgress);
    this.#onProgress();
    this.#resolve(answer);
  }

  /** Without a listener Node closes the connection and says nothing. */
  #refuseUpgrade(socket: { destroy(): unknown }): void {
    socket.destroy();
    this.#giveUp(new GatewayError('send_failed', `${this.#options.what} failed: the answer switches protocols`));
  }

  #expire(): void {
    const answer = this.#answer;
    // What is here and unread holds up the rest; a client that reads slowly is no fault of the target.
    if (answer !== undefined && answer.readableLength > 0) return this.#onProgress();
    const { what, responseTimeoutMs } = this.#options;
    const missing = answer === undefined ? 'no answer' : 'nothing more of the answer';
    this.#giveUp(new GatewayError('timeout', `${what} failed: ${missing} within ${responseTimeoutMs} ms`));
  }

  #fail(error: Error): void {
    // After the head, the answer's stream says that it is not whole; here it would be said twice.
    const isStale = this.#sent.reusedSocket && this.#socket?.bytesRead === this.#bytesBefore;
    if (isStale && isConnectionLoss(error)) this.#resolve('stale');
    else this.#reject(error);
  }

  #giveUp(error: GatewayError): void {
    this.#reject(error);
    (this.#answer ?? this.#sent).destroy(error);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#socket?.off('data', this.#onProgress);
    this.#options.request.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** Why an answer that node has parsed can't be passed on. */
function faultOf({ statusCode = 0, statusMessage = '', headers }: IncomingMessage): string | undefined {
  if (statusCode < 200) return `the answer has the status ${statusCode}, which ends no request`;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(statusMessage)) return 'the status line has control characters';
  const codings = headers['transfer-encoding'] ?? 'chunked';
  return /^(?:\s*chunked\s*,?)+$/i.test(codings) ? undefined : `the answer is coded as ${codings}`;
}

function requestOptions(options: ExchangeOptions): DialingRequestOptions {
  const { request, agent, peer, path, head } = options;
  return {
    agent,
    host: peer.host,
    port: peer.port,
    dialSignal: request.signal,
    method: request.method,
    path,
    // An array goes out as it is; as an object, Node would merge, lower-case and add.
    headers: head.headers,
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
  };
}
