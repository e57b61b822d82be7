// Passes the body of an answer on, at the speed of the slower side and within its limit, and ends the answer behind it.
// Not a `pipeline`: that makes an `AbortController` and aborts it for each answer, which costs as much as sending it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { GatewayError } from '../sessions/errors.js';
import { BulkReader } from '../upstreams/bulk-reader.js';
import { passStraight } from '../upstreams/straight-body.js';
import { toGatewayError } from '../upstreams/dial-errors.js';
import type { GivingUp } from '../upstreams/giving-up.js';
import { crossingHeaders } from './relay-headers.js';

/** A body on its way to the client, whose head was written. */
export interface BodyPass {
  readonly answer: IncomingMessage;
  readonly res: ServerResponse;
  readonly maxBytes: number;
  /** Aborted by errors of either side, and here for a body that is too large. */
  readonly leaving: GivingUp;
  /** The attempt, as the beginning of a sentence. */
  readonly what: string;
}

/** Passes a body on. @throws GatewayError where it breaks off: the reason of `leaving` where that tells of it */
export function passBody(pass: BodyPass): Promise<void> {
  return new Promise((passed, failed) => {
    new Passing(pass, { passed, failed }).start();
  });
}

interface Outcomes {
  readonly passed: () => void;
  readonly failed: (error: GatewayError) => void;
}

class Passing {
  readonly #pass: BodyPass;
  readonly #outcomes: Outcomes;
  #bytes = 0;
  #isOver = false;

  constructor(pass: BodyPass, outcomes: Outcomes) {
    this.#pass = pass;
    this.#outcomes = outcomes;
  }

  /** Listeners stay when it is over: neither side is used again, and to take them away costs as much as to add them. */
  start(): void {
    const { answer, res, leaving } = this.#pass;
    if (leaving.aborted) return this.#onAbort();
    // An answer that waits behind others on its connection does not see that close, hence the abort.
    leaving.addEventListener('abort', this.#onAbort);
    res.on('finish', this.#onFinish).on('close', this.#onClose);
    answer.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onAnswerClose);
    // It was stopped where its beginning was looked at.
    answer.resume();
    if (answer.readableEnded) this.#onEnd();
    if (!answer.complete) BulkReader.of(answer.socket)?.lendTo(answer);
  }

  readonly #onData = (chunk: Buffer): void => {
    const { answer, res, maxBytes, leaving } = this.#pass;
    if (this.#isOver) return;
    this.#bytes += chunk.length;
    if (this.#bytes > maxBytes) return leaving.abort(tooLarge(maxBytes));
    // The last piece goes out in one write with the end, which is a write of its own otherwise.
    if (answer.complete && answer.readableLength === 0) return this.#finish(chunk);
    // Pieces that wait are costly: they outlive a collection, and soon all that there is has to be gone over for them.
    if (res.write(chunk)) return this.#goStraight();
    answer.pause();
    res.once('drain', () => {
      this.#goStraight();
      answer.resume();
    });
  };

  /** Chunks are the business of each hop; and an answer that waits behind others has no connection yet. */
  #goStraight(): void {
    const { answer, res } = this.#pass;
    if (res.socket !== null && !res.chunkedEncoding) passStraight(answer, res.socket, this.#bytes);
  }

  readonly #onEnd = (): void => {
    if (!this.#isOver && !this.#pass.res.writableEnded) this.#finish();
  };

  readonly #onFinish = (): void => {
    this.#isOver = true;
    this.#outcomes.passed();
  };

  readonly #onAbort = (): void => this.#breakOff(this.#pass.leaving.reason);

  // Both sides abort with their errors before they close: a close that is noticed here has none.
  readonly #onClose = (): void => {
    if (!this.#pass.res.writableFinished) this.#breakOff(new Error('The connection to the client was closed'));
  };

  readonly #onAnswerClose = (): void => {
    if (!this.#pass.answer.readableEnded) this.#breakOff(new Error('The answer was closed before its end'));
  };

  #finish(chunk?: Buffer): void {
    const { answer, res } = this.#pass;
    relayTrailers(res, answer);
    res.end(chunk);
  }

  #breakOff(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pass.answer.destroy();
    this.#outcomes.failed(toGatewayError(reason, this.#pass.what));
  }
}

/** Trailers that can't be written are left out: the answer is whole without them, and can't be taken back. */
function relayTrailers(res: ServerResponse, { rawTrailers }: IncomingMessage): void {
  if (rawTrailers.length === 0 || !res.chunkedEncoding) return;
  try {
    res.addTrailers(pairsOf(crossingHeaders(rawTrailers)));
  } catch {
    // Control characters, which only a lenient parser lets through.
  }
}

function pairsOf(headers: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    pairs.push([headers[index] as string, headers[index + 1] as string]);
  }
  return pairs;
}

/** The error of an answer above `limits.responseBytes`. */
export function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('data_error', `The answer is larger than ${maxBytes} bytes (limits.responseBytes)`);
}
