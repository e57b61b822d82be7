// Reads a connection into buffers that are used again. It is a stream like any other until somebody takes its bytes as they
// come: those of a tunnel, and those in the middle of a long body, go straight from the buffer to the other connection;
// those of other bodies into node's parser, which copies them. What they mean is not known here.

import type { OnReadOpts, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Node's own measure of one read. What the parser gets is read no larger: its copies that wait outlive a collection, and cost the next. */
const SHARED_BYTES = 64 * 1024;
/** The last piece of a body that passes by the parser is no larger, for the parser copies it. */
const LAST_BYTES = 16 * 1024;
/** Past this, larger reads save next to nothing. */
const LARGE_BYTES = 512 * 1024;
/** Bound of the large buffers; while all are in use, other connections go on with copies of smaller pieces. */
const MAX_LARGE = 32;

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

/** Bytes on their way to another connection. */
interface Passage {
  readonly to: Duplex;
  /** Infinity: all that come. */
  bytesLeft: number;
  readonly onLast: OnLast | undefined;
}

/** Called when the last bytes are here; `readLast` hands them to whoever listens to the connection. */
export type OnLast = (readLast: () => void) => void;

/** Reads one connection. */
export class BulkReader {
  /** For `net.connect`. */
  readonly onread: OnReadOpts = { buffer: () => this.#roomForNext(), callback: (bytes) => this.#take(bytes) };
  /** Told of each piece that comes, whatever becomes of it, and when reading goes on. */
  onPiece: (() => void) | undefined;
  #socket: Socket | undefined;
  #passage: Passage | undefined;
  #body: ParsedBody | undefined;
  #buffer: Buffer = shared;
  /** Whether nothing is read until what was passed on last is out. */
  #waits = false;

  /** The reader of a connection that was made with one. */
  static of(socket: Duplex): BulkReader | undefined {
    return readers.get(socket);
  }

  /** Tells it the connection that was made with its `onread`. */
  serve(socket: Socket): void {
    this.#socket = socket;
    readers.set(socket, this);
    socket.on('close', () => this.#giveBack());
  }

  /** Passes on what was read before, all that comes from now on, and the end. Nobody else may read from now on. */
  passTo(to: Duplex): void {
    const socket = this.#socket;
    if (socket === undefined) throw new Error('This reader has no connection yet');
    socket.on('end', () => to.end());
    for (let early: unknown = socket.read(); early !== null; early = socket.read()) to.write(early);
    this.#passage = { to, bytesLeft: Infinity, onLast: undefined };
    socket.resume();
  }

  /** Passes on the bytes that come, but for the last piece of so many: from there on they are for those who listen. */
  passMost(to: Duplex, bytes: number, onLast: OnLast): void {
    this.#passage = { to, bytesLeft: bytes, onLast };
  }

  /**
   * Lets the parser have the pieces as they are until the body is whole. It keeps nothing of them: what it tells of a body
   * is a copy. Heads are another matter: what comes behind one that switches protocols is told as a part of the piece.
   */
  lendTo(body: ParsedBody): void {
    this.#body = body;
  }

  /** Where the next piece goes; of a body so much that a little is left for the last one. */
  #roomForNext(): Buffer {
    const middleBytes = (this.#passage?.bytesLeft ?? Infinity) - LAST_BYTES;
    return middleBytes > 0 && middleBytes < this.#buffer.length ? this.#buffer.subarray(0, middleBytes) : this.#buffer;
  }

  /** @returns whether to read on */
  #take(bytes: number): boolean {
    this.onPiece?.();
    const piece = this.#buffer.subarray(0, bytes);
    const passage = this.#passage;
    if (passage === undefined) return this.#push(piece, this.#body?.complete === false);
    if (bytes >= passage.bytesLeft) return this.#end(passage, piece);
    passage.bytesLeft -= bytes;
    const { to } = passage;
    const isOwn = this.#buffer !== shared;
    // Those of a tunnel that come in small pieces share, for others may have use for the buffer.
    if (passage.bytesLeft === Infinity && bytes < SHARED_BYTES) this.#giveBack();
    else if (!isOwn) this.#buffer = spare.pop() ?? newLarge() ?? shared;
    if (this.#buffer === shared) return this.#pass(to, Buffer.from(piece));
    return this.#lend(to, isOwn ? piece : this.#buffer.subarray(0, piece.copy(this.#buffer)));
  }

  #pass(to: Duplex, piece: Buffer): boolean {
    if (to.write(piece) || to.writableLength === 0) return true;
    this.#socket?.pause();
    to.once('drain', this.#readOn);
    return false;
  }

  /** A piece of a buffer of its own is either sent at once or waited for, so that the buffer is free again. */
  #lend(to: Duplex, piece: Buffer): boolean {
    to.write(piece, this.#onWritten);
    this.#waits = to.writableLength > 0;
    if (this.#waits) this.#socket?.pause();
    return !this.#waits;
  }

  readonly #onWritten = (): void => {
    if (this.#waits) this.#readOn();
  };

  readonly #readOn = (): void => {
    this.#waits = false;
    this.onPiece?.();
    this.#socket?.resume();
  };

  /** What comes behind the last bytes nobody has asked for, and is not to be taken for the next answer. */
  #end({ bytesLeft, onLast }: Passage, piece: Buffer): boolean {
    this.#passage = undefined;
    onLast?.(() => this.#push(piece.subarray(0, bytesLeft), true));
    this.#giveBack();
    if (piece.length > bytesLeft) this.#socket?.destroy();
    return this.#socket?.destroyed === false;
  }

  /** @param isOfBody whether the parser, if it takes the piece at once, keeps nothing of it */
  #push(piece: Buffer, isOfBody: boolean): boolean {
    const socket = this.#socket;
    const isTaken = isOfBody && socket?.readableFlowing === true && socket.readableLength === 0;
    return socket?.push(isTaken ? piece : Buffer.from(piece)) === true;
  }

  #giveBack(): void {
    if (this.#buffer === shared) return;
    // What is in it when the connection closes may still be on its way: then it is left to the garbage collector.
    if (this.#waits) largeCount -= 1;
    else spare.push(this.#buffer);
    this.#buffer = shared;
  }
}

function newLarge(): Buffer | undefined {
  if (largeCount >= MAX_LARGE) return undefined;
  largeCount += 1;
  return Buffer.allocUnsafeSlow(LARGE_BYTES);
}
