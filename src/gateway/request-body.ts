// The body of a request. That of a held one is read while it waits, because a connection whose bytes nobody reads does
// not show that its client has left: small ones stay in memory, larger ones go to a temporary file. All are counted.

import { createReadStream, createWriteStream, type ReadStream, type WriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { finished, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { GatewayError } from '../sessions/errors.js';

const MEMORY_BYTES = 64 * 1024;

const whenFinished = promisify(finished);

interface RequestBodyOptions {
  readonly maxBytes: number;
  /** Told when the body can't be had: it is too large, or the temporary file failed. */
  readonly onFailure: (error: GatewayError) => void;
}

/** Collects a body from `collect()` on, and gives it back in one piece. Call `dispose()` in the end, whatever happens. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #options: RequestBodyOptions;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #folder: string | undefined;
  #spool: WriteStream | undefined;
  #spooled: ReadStream | undefined;
  #collecting = false;
  #replayed: Promise<Readable> | undefined;

  constructor(request: IncomingMessage, options: RequestBodyOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** Starts to read, unless the body is on its way already. */
  collect(): void {
    if (!this.#isUntouched) return;
    this.#collecting = true;
    this.#request.on('data', this.#take);
  }

  /**
   * Stops collecting. Asked again, it gives the same body, which is whole as long as nobody has read it.
   *
   * @returns the whole body: what was held, then what is still to come
   */
  replay(): Promise<Readable> {
    this.#replayed ??= this.#replay();
    return this.#replayed;
  }

  /** Whether nobody has asked for it; one that is empty besides, as most are, leaves nothing to be done. */
  get #isUntouched(): boolean {
    return !this.#collecting && this.#replayed === undefined;
  }

  async #replay(): Promise<Readable> {
    const hasLength = this.#request.headers['content-length'] !== undefined;
    // A length that was declared has been checked, and node's parser holds the client to it.
    if (!this.#collecting && hasLength) return this.#request;
    this.#collecting = false;
    this.#request.off('data', this.#take);
    this.#request.pause();
    if (this.#spool !== undefined) {
      this.#spool.end();
      await whenFinished(this.#spool);
      this.#spooled = createReadStream(this.#spool.path);
    }
    const body = Readable.from(this.#pieces(), { objectMode: false });
    // Whoever reads it is told by its own listener; one that stopped reading need not be.
    return body.on('error', () => undefined);
  }

  /** Forgets the body and removes its file. What the client still sends is read and dropped. */
  dispose(): Promise<void> | undefined {
    if (this.#isUntouched && this.#request.complete && this.#request.readableLength === 0) return undefined;
    return this.#forget();
  }

  async #forget(): Promise<void> {
    this.#collecting = false;
    this.#request.off('data', this.#take);
    this.#chunks.length = 0;
    this.#spool?.destroy();
    this.#spooled?.destroy();
    await this.#leaveOff();
    if (this.#folder !== undefined) await removeFolder(this.#folder);
  }

  /** Whoever was reading has to be gone before the rest can flow: until then it waits for the next piece itself. */
  async #leaveOff(): Promise<void> {
    const replayed = await this.#replayed?.catch(() => undefined);
    if (replayed === undefined || replayed === this.#request || replayed.closed) return this.#drop();
    replayed.once('close', () => this.#drop()).destroy();
    // It waits for a piece, which comes only if somebody reads.
    if (!this.#request.readableEnded) this.#request.read(0);
  }

  /** Reads on and drops it, so that the connection can serve the next request; whoever was reading may pause yet. */
  #drop(): void {
    if (this.#request.readableEnded || this.#request.destroyed) return;
    this.#request.on('pause', () => this.#request.resume());
    this.#request.resume();
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    yield* this.#chunks;
    if (this.#spooled !== undefined) yield* this.#spooled as AsyncIterable<Buffer>;
    if (this.#request.readableEnded) return;
    // Leaving off in the middle must not end the connection, on which the answer may be on its way.
    for await (const chunk of this.#request.iterator({ destroyOnReturn: false })) {
      this.#bytes += (chunk as Buffer).length;
      if (this.#bytes > this.#options.maxBytes) throw this.#fail(tooLarge(this.#options.maxBytes));
      yield chunk as Buffer;
    }
  }

  readonly #take = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.maxBytes) this.#fail(tooLarge(this.#options.maxBytes));
    else if (this.#spool !== undefined) this.#spill(this.#spool, chunk);
    else {
      this.#chunks.push(chunk);
      if (this.#bytes > MEMORY_BYTES) this.#openSpool();
    }
  };

  #openSpool(): void {
    this.#request.pause();
    mkdtemp(path.join(tmpdir(), 'session-proxy-body-')).then(
      (folder) => {
        // The body may be on its way by now, out of memory: the folder came too late.
        if (!this.#collecting) {
          void removeFolder(folder);
          return;
        }
        this.#folder = folder;
        this.#spool = createWriteStream(path.join(folder, 'body'), { mode: 0o600 });
        this.#spool.on('error', (error) => this.#fail(spoolFailed(error)));
        this.#request.resume();
      },
      (error: unknown) => void this.#fail(spoolFailed(error)),
    );
  }

  #spill(spool: WriteStream, chunk: Buffer): void {
    if (spool.write(chunk)) return;
    this.#request.pause();
    spool.once('drain', () => {
      if (this.#collecting) this.#request.resume();
    });
  }

  #fail(error: GatewayError): GatewayError {
    this.#request.off('data', this.#take);
    this.#options.onFailure(error);
    return error;
  }
}

/** The answer to a body above `limits.requestBytes`. */
export function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    'request_too_large',
    `The request body is larger than ${maxBytes} bytes (limits.requestBytes)`,
  );
}

/** A temporary folder that can't be removed is left to the system, which clears them away. */
async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

function spoolFailed(cause: unknown): GatewayError {
  return new GatewayError('internal_error', 'The body of a held request could not be kept on disk', { cause });
}
