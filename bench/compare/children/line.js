// A connection of the client. All lines read into one buffer, for what comes in is only counted.

import net from 'node:net';

const BUFFER = Buffer.allocUnsafe(256 * 1024);

/** A line that the proxy closed, though it was in use. */
export class LineClosed extends Error {
  constructor() {
    super('The proxy closed a connection that was in use');
  }
}

/** Connects to a port of this machine. */
export function connect(port) {
  return new Promise((resolve, reject) => {
    const line = new Line(port, () => resolve(line), reject);
  });
}

/** Opens a tunnel. @throws where the proxy refuses it */
export async function openTunnel({ port, targetPort, authorization, session }) {
  const line = await connect(port);
  const authority = `127.0.0.1:${targetPort}`;
  const credentials = authorization ? `Proxy-Authorization: ${authorization}\r\n` : '';
  const named = session === undefined ? '' : `X-Crawlera-Session: ${session}\r\n`;
  await line.exchange(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}${named}\r\n`, 0);
  return line;
}

class Line {
  bytesIn = 0;
  #socket;
  #head = '';
  /** Bytes of the body that are still to come; undefined while the head is. */
  #left;
  #waiting;
  #closing;

  constructor(port, onConnect, onError) {
    const onread = { buffer: BUFFER, callback: (bytes, buffer) => this.#onRead(bytes, buffer) };
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true, onread }, onConnect);
    this.#socket.on('error', onError);
    this.#socket.on('close', () => this.#onClose());
  }

  get isClosed() {
    return this.#socket.destroyed;
  }

  /** Sends a request, and waits for an answer with a body of so many bytes. */
  exchange(request, answerBytes) {
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(new LineClosed());
      this.#head = '';
      this.#left = undefined;
      this.#waiting = { resolve, reject, answerBytes };
      this.#socket.write(request);
    });
  }

  write(bytes) {
    this.#socket.write(bytes);
  }

  /** Sends the same bytes without end. */
  pour(piece) {
    const more = () => {
      while (this.#socket.writable && this.#socket.write(piece)) continue;
    };
    this.#socket.on('drain', more);
    more();
  }

  /** Ends `pour`. */
  stop() {
    this.#socket.removeAllListeners('drain');
  }

  /** Closes it in order. */
  end() {
    return new Promise((resolve) => {
      if (this.isClosed) return resolve();
      this.#closing = resolve;
      this.#socket.end();
    });
  }

  destroy() {
    this.#socket.destroy();
  }

  #onRead(bytes, buffer) {
    this.bytesIn += bytes;
    if (this.#waiting === undefined) return true;
    if (this.#left === undefined) this.#readHead(bytes, buffer);
    else this.#left -= bytes;
    if (this.#left !== undefined && this.#left <= 0) this.#answer();
    return true;
  }

  #readHead(bytes, buffer) {
    const before = this.#head.length;
    this.#head += buffer.latin1Slice(0, bytes);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end === -1) return;
    this.#left = this.#waiting.answerBytes - (before + bytes - (end + 4));
  }

  #answer() {
    const { resolve, reject } = this.#waiting;
    this.#waiting = undefined;
    if (/^HTTP\/1\.[01] 200 /.test(this.#head)) resolve();
    else reject(new Error(`The proxy answered: ${this.#head}`));
  }

  #onClose() {
    this.#waiting?.reject(new LineClosed());
    this.#waiting = undefined;
    this.#closing?.();
  }
}
