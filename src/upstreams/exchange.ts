// One try at one request: from the connection to the end of the answer's body, with its clock and its ways to end.

import http from 'node:http';
import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http';
import type { Socket } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { faultOf, settleFraming } from './answer-head.js';
import { BulkReader } from './bulk-reader.js';
import { abortError, isConnectionLoss, toGatewayError } from './dial-errors.js';
import type { DialingAgent, DialingRequestOptions, Peer } from './dialing-agent.js';
import { sendBody } from './send-body.js';
import type { FramedHead } from './request-framing.js';
import type { Information, RawRequest, Upgraded } from './upstream.js';

/** Bytes an answer's head may have: as many as a request's. */
export const MAX_HEADER_BYTES = 102_400;

/** A request, and the way it takes; the same for each try. */
export interface RequestWay {
  /** Its path and headers are not those that go out. */
  readonly request: RawRequest;
  /** Where the connection leads: the target, or the proxy that is told the target. */
  readonly peer: Peer;
  /** The target of the request line. */
  readonly path: string;
  /** Milliseconds to the head of the answer, and between two pieces of its body, where the request doesn't say. */
  readonly responseTimeoutMs: number;
  /** The attempt, as the beginning of a sentence. */
  readonly what: string;
}

/** One try. */
export interface ExchangeOptions {
  readonly way: RequestWay;
  readonly agent: DialingAgent;
  readonly head: FramedHead;
  /** Called when the connection stands and the request goes out. */
  readonly onSent: () => void;
}

/**
 * Sends a request and waits for the head of its answer.
 *
 * @returns the answer, its body still to be read; `stale` if the connection came from the pool and was dead before a
 *   byte of the answer came
 * @throws GatewayError if it was given up or late; otherwise what Node reports
 */
export function exchange(options: ExchangeOptions): Promise<IncomingMessage | 'stale'> {
  return new Promise((answered, failed) => {
    void new Exchange(options, { answered, failed });
  });
}

/**
 * Sends a request that asks for another protocol.
 *
 * @returns as `exchange`, or the connection once the answer has switched protocols on it; it is then the caller's, and
 *   neither the signal nor a clock touches it any more
 * @throws as `exchange`
 */
export function exchangeUpgrade(options: ExchangeOptions): Promise<IncomingMessage | Upgraded | 'stale'> {
  return new Promise((resolve, reject) => {
    void new Exchange(options, { answered: resolve, upgraded: resolve, failed: reject });
  });
}

/** Ways an exchange comes out. */
interface Outcomes {
  readonly answered: (answer: IncomingMessage | 'stale') => void;
  /** Without it, an answer that switches protocols is a failure: nobody has asked for it. */
  readonly upgraded?: (upgraded: Upgraded) => void;
  readonly failed: (error: Error) => void;
}

class Exchange {
  readonly #options: ExchangeOptions;
  readonly #outcomes: Outcomes;
  readonly #sent: ClientRequest;
  readonly #responseTimeoutMs: number;
  #socket: Socket | undefined;
  #bytesBefore = 0;
  #answer: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ExchangeOptions, outcomes: Outcomes) {
    const { request, responseTimeoutMs } = options.way;
    this.#options = options;
    this.#outcomes = outcomes;
    this.#responseTimeoutMs = request.responseTimeoutMs ?? responseTimeoutMs;
    this.#sent = http.request(requestOptions(options));
    // The head's size is bounded; the number of its lines needn't be, and Node would drop those past 2,000 unseen.
    this.#sent.maxHeadersCount = 0;
    // Not `once`, though each comes once: that makes two more objects of every listener.
    this.#sent.on('socket', (socket) => this.#send(socket));
    this.#sent.on('response', (answer) => this.#receive(answer));
    this.#sent.on('upgrade', (answer, socket, head) => this.#switch(answer, socket, head));
    const { onInformation } = request;
    if (onInformation !== undefined) this.#sent.on('information', (info) => inform(info, onInformation));
    this.#sent.on('error', (error) => this.#fail(error));
    this.#sent.on('close', () => this.#end());
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => this.#giveUp(abortError(this.#options.way.request.signal, this.#options.way.what));
  readonly #onProgress = (): void => void this.#timer?.refresh();

  #send(socket: Socket): void {
    const { way, head, onSent } = this.#options;
    const { body, trailers } = way.request;
    this.#socket = socket;
    this.#bytesBefore = socket.bytesRead;
    this.#timer = setTimeout(() => this.#expire(), this.#responseTimeoutMs);
    if (body === undefined) this.#sent.end();
    else {
      const onFault = (error: GatewayError) => this.#giveUp(error);
      const { bodyBytes } = head;
      sendBody({ body, bodyBytes, trailers, to: this.#sent, onProgress: this.#onProgress, onFault });
    }
    onSent();
  }

  #receive(answer: IncomingMessage): void {
    this.#answer = answer;
    if (settleFraming(answer)) this.#sent.shouldKeepAlive = false;
    const fault = faultOf(answer);
    if (fault !== undefined) {
      return this.#giveUp(new GatewayError('send_failed', `${this.#options.way.what} failed: ${fault}`));
    }
    // From here on the clock is that of the body.
    this.#watchPieces(this.#onProgress);
    this.#onProgress();
    this.#outcomes.answered(answer);
  }

  /** Without a listener Node closes the connection and says nothing. */
  #switch(answer: IncomingMessage, socket: Socket, head: Buffer): void {
    const { upgraded } = this.#outcomes;
    if (upgraded !== undefined) {
      // Undoes what the agent has set.
      socket.setTimeout(0);
      socket.allowHalfOpen = true;
      return upgraded({ answer, socket, head });
    }
    socket.destroy();
    this.#giveUp(new GatewayError('send_failed', `${this.#options.way.what} failed: the answer switches protocols`));
  }

  #expire(): void {
    const answer = this.#answer;
    // What is here and unread holds up the rest; a client that reads slowly is no fault of the target.
    const isHeldUp = answer !== undefined && (answer.readableLength > 0 || this.#socket?.isPaused() === true);
    if (isHeldUp) return this.#onProgress();
    const { what } = this.#options.way;
    const missing = answer === undefined ? 'no answer' : 'nothing more of the answer';
    this.#giveUp(new GatewayError('timeout', `${what} failed: ${missing} within ${this.#responseTimeoutMs} ms`));
  }

  /** Has the clock told of each piece, until it is to be told no more. */
  #watchPieces(onPiece: (() => void) | undefined): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const reader = BulkReader.of(socket);
    if (reader !== undefined) reader.onPiece = onPiece;
    // A connection with TLS on it. The parser's own listener keeps it flowing.
    else if (onPiece !== undefined) socket.on('data', onPiece);
    else socket.off('data', this.#onProgress);
  }

  #fail(error: Error): void {
    const answer = this.#answer;
    // What is wrong behind a whole answer is no fault of it; the connection is gone by now.
    if (answer?.complete === false) answer.destroy(toGatewayError(error, this.#options.way.what));
    const isStale = this.#sent.reusedSocket && this.#socket?.bytesRead === this.#bytesBefore;
    if (isStale && isConnectionLoss(error)) this.#outcomes.answered('stale');
    else this.#outcomes.failed(error);
  }

  #giveUp(error: GatewayError): void {
    this.#outcomes.failed(error);
    (this.#answer ?? this.#sent).destroy(error);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#watchPieces(undefined);
    this.#options.way.request.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** Passes an interim answer on. 100 is for this hop: the body is on its way, whatever the target says to it. */
function inform({ statusCode, statusMessage, rawHeaders }: InformationEvent, to: (told: Information) => void): void {
  if (statusCode !== 100) to({ status: statusCode, reason: statusMessage, headers: rawHeaders });
}

function requestOptions(options: ExchangeOptions): DialingRequestOptions {
  const { way, agent, head } = options;
  const { request, peer, path } = way;
  return {
    agent,
    host: peer.host,
    port: peer.port,
    secure: peer.secure,
    dialSignal: request.signal,
    method: request.method,
    path,
    // An array goes out as it is; as an object, Node would merge, lower-case and add.
    headers: head.headers,
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Browsers and curl take more than the standard allows. What that leaves open is settled in `answer-head.ts`.
    insecureHTTPParser: true,
  };
}
