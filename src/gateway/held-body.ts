// The body of a request that is held: read while it waits, because a connection whose bytes nobody reads does not show
// that its client has left. Small bodies stay in memory, larger ones go to a temporary file.

import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { finished, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { GatewayError } from '../sessions/errors.js';

const MEMORY_BYTES = 64 * 1024;

const whenFinished = promisify(finished);

interface HeldBodyOptions {
  readonly maxBytes: number;
  /** Told when the body can't be held: too large, or the temporary file failed. */
  readonly onFailure: (error: GatewayError) => void;
}

/** Collects a body from `collect()` on, and gives it back in one piece. Call `dispose()` in the end, whatever happens. */
export class HeldBody {
  readonly #request: IncomingMessage;
  readonly #options: HeldBodyOptions;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #folder: string | undefined;
  #spool: WriteStream | undefined;
  #collecting = false;

  constructor(request: IncomingMessage, options: HeldBodyOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** Starts to read. */
  collect(): void {
    this.#collecting = true;
    this.#request.on('data', this.#take);
  }

  /** Stops collecting. @returns the whole body: what was held, then what is still to come */
  async replay(): Promise<Readable> {
    if (!this.#collecting) return this.#request;
    this.#collecting = false;
    this.#request.off('data', this.#take);
    this.#request.pause();
    if (this.#spool !== undefined) {
      this.#spool.end();
      await whenFinished(this.#spool);
    }
    return Readable.from(this.#pieces(), { objectMode: false });
  }

  /** Forgets the body and removes its file. */
  async dispose(): Promise<void> {
    this.#collecting = false;
    this.#request.off('data', this.#take);
    this.#chunks.length = 0;
    this.#spool?.destroy();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    yield* this.#chunks;
    if (this.#spool !== undefined) yield* createReadStream(this.#spool.path) as AsyncIterable<Buffer>;
    if (!this.#request.readableEnded) yield* this.#request as AsyncIterable<Buffer>;
  }

  readonly #take = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.maxBytes) return this.#fail(tooLarge(this.#options.maxBytes));
    if (this.#spool !== undefined) return this.#spill(this.#spool, chunk);
    this.#chunks.push(chunk);
    if (this.#bytes > MEMORY_BYTES) this.#openSpool();
  };

  #openSpool(): void {
    this.#request.pause();
    mkdtemp(path.join(tmpdir(), 'session-proxy-body-')).then(
      (folder) => {
        this.#folder = folder;
        if (!this.#collecting) {
          void this.dispose();
          return;
        }
        this.#spool = createWriteStream(path.join(folder, 'body'), { mode: 0o600 });
        this.#spool.on('error', (error) => this.#fail(spoolFailed(error)));
        this.#request.resume();
      },
      (error: unknown) => this.#fail(spoolFailed(error)),
    );
  }

  #spill(spool: WriteStream, chunk: Buffer): void {
    if (spool.write(chunk)) return;
    this.#request.pause();
    spool.once('drain', () => {
      if (this.#collecting) this.#request.resume();
    });
  }

  #fail(error: GatewayError): void {
    this.#request.off('data', this.#take);
    this.#options.onFailure(error);
  }
}

/** The answer to a body above `limits.requestBytes`. */
export function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    'request_too_large',
    `The request body is larger than ${maxBytes} bytes (limits.requestBytes)`,
  );
}

function spoolFailed(cause: unknown): GatewayError {
  return new GatewayError('internal_error', 'The body of a held request could not be kept on disk', { cause });
}
