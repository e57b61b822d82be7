// One upstream with many exits. Each exit has connections of its own, for one that was opened for a session must never
// carry the request of another. What an exit is, and how it is gone through, is handed in.

import { randomUUID } from 'node:crypto';
import { IncomingMessage } from 'node:http';

import type { Exits, Upstream } from './upstream.js';
import type { UpstreamIdentity } from './upstream-parts.js';

/** What many exits have in common. */
export interface ManyExits {
  readonly identity: UpstreamIdentity;
  /** As `Exits.draw`. */
  readonly draw: Exits['draw'];
  /** The address that targets see of an exit, or a word of its own. */
  readonly outgoingIpOf: (exit: string) => string;
  /** Opens the way through an exit. */
  readonly open: (exit: string) => Upstream;
  /** Bound of the exits whose connections are kept while nobody uses them. @default 1024 */
  readonly maxUnused?: number | undefined;
}

// Ours: each may keep a connection or two open for half a minute, and connections are what a process runs out of first.
// A session whose exit was put away loses nothing but the time to connect again.
const MAX_UNUSED = 1_024;

/** Creates an upstream whose own requests and tunnels leave through a fresh exit each. */
export function createUpstreamWithExits(many: ManyExits): Upstream {
  const exits = new OpenExits(many);
  const fresh = () => exits.through(many.draw(randomUUID()).exit);
  return {
    ...many.identity,
    exits: { draw: many.draw, through: (exit) => exits.through(exit) },
    dial: (target, signal) => fresh().dial(target, signal),
    request: (request) => fresh().request(request),
    upgrade: (request) => fresh().upgrade(request),
    close: () => exits.close(),
  };
}

/** An exit that has been gone through. */
interface OpenExit {
  readonly exit: string;
  /** What others get; it counts what is under way. */
  readonly face: Upstream;
  readonly inner: Upstream;
  underWay: number;
}

class OpenExits {
  readonly #many: ManyExits;
  readonly #maxUnused: number;
  /** With requests under way; bounded by those. */
  readonly #used = new Map<string, OpenExit>();
  /** Without, the one unused longest first; bounded by `maxUnused`. */
  readonly #unused = new Map<string, OpenExit>();

  constructor(many: ManyExits) {
    this.#many = many;
    this.#maxUnused = many.maxUnused ?? MAX_UNUSED;
  }

  through(exit: string): Upstream {
    return this.#find(exit).face;
  }

  async close(): Promise<void> {
    const all = [...this.#used.values(), ...this.#unused.values()];
    this.#unused.clear();
    await Promise.all(all.map(({ inner }) => inner.close()));
  }

  #find(exit: string): OpenExit {
    const known = this.#used.get(exit) ?? this.#unused.get(exit);
    if (known !== undefined) return known;
    const inner = this.#many.open(exit);
    const opened: OpenExit = { exit, inner, face: this.#faceOf(exit, inner), underWay: 0 };
    this.#putAside(opened);
    return opened;
  }

  #faceOf(exit: string, inner: Upstream): Upstream {
    return {
      ...this.#many.identity,
      outgoingIp: this.#many.outgoingIpOf(exit),
      // What is dialled is its caller's, and not among the connections that are kept.
      dial: (target, signal) => inner.dial(target, signal),
      request: (request) => this.#use(exit, (one) => one.request(request)),
      upgrade: (request) => this.#use(exit, (one) => one.upgrade(request)),
      close: () => inner.close(),
    };
  }

  /** Runs a request; it is under way until its answer has been read or given up. */
  async #use<T>(exit: string, run: (inner: Upstream) => Promise<T>): Promise<T> {
    // Found anew: the one this face was made with may have been put away meanwhile.
    const one = this.#find(exit);
    one.underWay += 1;
    this.#unused.delete(exit);
    this.#used.set(exit, one);
    try {
      const outcome = await run(one.inner);
      if (outcome instanceof IncomingMessage && !outcome.closed) outcome.once('close', () => this.#end(one));
      else this.#end(one);
      return outcome;
    } catch (error) {
      this.#end(one);
      throw error;
    }
  }

  #end(one: OpenExit): void {
    one.underWay -= 1;
    if (one.underWay > 0) return;
    this.#used.delete(one.exit);
    this.#putAside(one);
  }

  #putAside(one: OpenExit): void {
    this.#unused.set(one.exit, one);
    for (const [exit, { inner }] of this.#unused) {
      if (this.#unused.size <= this.#maxUnused) return;
      this.#unused.delete(exit);
      // It closes what nobody uses, and has nothing to fail at.
      void inner.close();
    }
  }
}
