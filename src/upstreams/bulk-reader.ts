// Reads a connection into buffers that are used again. It is a stream like any other until somebody takes its bytes as they
// come: those of a tunnel go straight from the buffer to the other connection, those of a body into node's parser, which
// copies them. What they mean is not known here.

import type { OnReadOpts, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Node's own measure of one read. Bodies are read no larger: what waits of them outlives a collection, and costs the next. */
const SHARED_BYTES = 64 * 1024;
/** Past this, larger reads save next to nothing. */
const LARGE_BYTES = 256 * 1024;
/** Bound of the large buffers; while all are in use, other connections go on with copies of smaller pieces. */
const MAX_LARGE = 64;

/** Of all connections: what is read into it is copied at once, before another connection is read. */
const shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
/** Large buffers, each of which one connection may have to itself; those nobody has, and how many there are. */
const spare: Buffer[] = [];
let largeCount = 0;

const readers = new WeakMap<Duplex, BulkReader>();

/** A body that node's parser reads from a connection. */
interface ParsedBody {
  /** Whether all of it was read: what comes next on the connection is not its. */
  readonly complete: boolean;
}

/** Reads one connection. */
export class BulkReader {
  /** For `net.connect`. */
  readonly onread: OnReadOpts = { buffer: () => this.#buffer, callback: (bytes) => this.#take(bytes) };
  #socket: Socket | undefined;
  #to: Duplex | undefined;
  #body: ParsedBody | undefined;
  #buffer: Buffer = shared;

  /** The reader of a connection that was made with one. */
  static of(socket: Duplex): BulkReader | undefined {
    return readers.get(socket);
  }

  /** Tells it the connection that was made with its `onread`. */
  serve(socket: Socket): void {
    this.#socket = socket;
    readers.set(socket, this);
  }

  /** Passes on what was read before, all that comes from now on, and the end. Nobody else may read from now on. */
  passTo(to: Duplex): void {
    const socket = this.#socket;
    if (socket === undefined) throw new Error('This reader has no connection yet');
    socket.on('end', () => to.end());
    socket.on('close', () => this.#giveBack());
    for (let early: unknown = socket.read(); early !== null; early = socket.read()) to.write(early);
    this.#to = to;
    socket.resume();
  }

  /**
   * Lets the parser have the pieces as they are until the body is whole. It keeps nothing of them: what it tells of a body
   * is a copy. Heads are another matter: what comes behind one that switches protocols is told as a part of the piece.
   */
  lendTo(body: ParsedBody): void {
    this.#body = body;
  }

  /** @returns whether to read on */
  #take(bytes: number): boolean {
    const piece = this.#buffer.subarray(0, bytes);
    const to = this.#to;
    if (to === undefined) return this.#push(piece);
    if (this.#buffer === shared) {
      if (bytes === SHARED_BYTES) this.#buffer = spare.pop() ?? newLarge() ?? shared;
      return this.#pass(to, Buffer.from(piece));
    }
    if (bytes >= Math.max(SHARED_BYTES, to.writableHighWaterMark)) return this.#pass(to, piece);
    // Its bytes come in small pieces now; others may have use for the buffer.
    this.#giveBack();
    return this.#pass(to, Buffer.from(piece));
  }

  #push(piece: Buffer): boolean {
    const socket = this.#socket;
    const isParsed = this.#body?.complete === false && socket?.readableFlowing === true && socket.readableLength === 0;
    return socket?.push(isParsed ? piece : Buffer.from(piece)) === true;
  }

  /** A piece above the mark of the other side is either sent at once or waited for, so that its buffer is free again. */
  #pass(to: Duplex, piece: Buffer): boolean {
    if (to.write(piece) || to.writableLength === 0) return true;
    this.#socket?.pause();
    to.once('drain', () => this.#socket?.resume());
    return false;
  }

  #giveBack(): void {
    if (this.#buffer === shared) return;
    // At the end, what is in it may still be on its way: then it is left to the garbage collector.
    if (this.#to?.writableLength === 0) spare.push(this.#buffer);
    else largeCount -= 1;
    this.#buffer = shared;
  }
}

function newLarge(): Buffer | undefined {
  if (largeCount >= MAX_LARGE) return undefined;
  largeCount += 1;
  return Buffer.allocUnsafeSlow(LARGE_BYTES);
}
