// The port of a way out: a proxy or a local address. What sessions are, how long a use waits and what a client asked
// for is not known here; a request comes in with its headers as they are to be sent.

import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

/** Where a connection goes. `host` is a name or address as a URL normalises it, without brackets. */
export interface DialTarget {
  readonly host: string;
  readonly port: number;
}

/**
 * Tells when something is given up. An `AbortSignal` is one; whoever has many requests makes something lighter.
 */
export interface GiveUp {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** A request as it goes on the wire. */
export interface RawRequest {
  readonly method: string;
  readonly target: DialTarget;
  /** Origin form, as the client sent it. */
  readonly path: string;
  /**
   * Names and values in turn; case, order and repetition are kept and nothing is added to a complete head: `Host`,
   * `Connection`, and with a body its framing. What is missing goes last: `Connection: keep-alive`;
   * `Transfer-Encoding: chunked` for a body without framing; `Content-Length: 0` for a POST and the like without
   * body. `Host` is never added. `Content-Length` beside `Transfer-Encoding` is left out (RFC 9112 section 6.3); a
   * body that isn't as long as `Content-Length` says ends the request. `Connection: close` stops the connection from
   * being used again.
   */
  readonly headers: readonly string[];
  /**
   * Undefined: a request without a body. Not touched before the connection stands, so that it can be sent again
   * through another upstream when connecting failed; never destroyed.
   */
  readonly body: Readable | undefined;
  /**
   * Gives the request up, at whatever stage it is, the body of the answer included. If its reason is a `GatewayError`,
   * that is what the request fails with.
   */
  readonly signal: GiveUp;
  /** Called once, when the connection stands and the request goes out; not again when it is sent a second time. */
  readonly onSent: () => void;
  /** Set: the target is asked over TLS, and its certificate is verified or not. Undefined: over plain HTTP. */
  readonly secure?: SecureTarget | undefined;
  /** Milliseconds to the head of the answer, and between two pieces of its body. @default that of the upstream */
  readonly responseTimeoutMs?: number | undefined;
  /** Told of every answer of status 102 to 199 but 101, which come before the answer. */
  readonly onInformation?: ((information: Information) => void) | undefined;
  /** Fields to send behind a chunked body, asked for when the body has ended. */
  readonly trailers?: (() => readonly string[]) | undefined;
}

/** How a target is asked over TLS. */
export interface SecureTarget {
  /** The name to ask for and to verify; undefined: the target's host. */
  readonly servername?: string | undefined;
  readonly verify: boolean;
}

/** An interim answer: names and values of its fields in turn. */
export interface Information {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly string[];
}

/** A connection on which the target has switched to the protocol that was asked for. */
export interface Upgraded {
  /** The head that says so: status 101, and the fields as they came. */
  readonly answer: IncomingMessage;
  /** From here on the caller's to destroy; may be half-closed. */
  readonly socket: Duplex;
  /** What came behind the head: the first bytes of the other protocol. */
  readonly head: Buffer;
}

/**
 * The exits of an upstream that has many: a vendor's sticky sessions behind one URL, or a prefix of addresses of this
 * machine. Each session gets one of its own, and each request without a session a fresh one.
 */
export interface Exits {
  /**
   * Draws an exit.
   *
   * @param seed the session's ID, or something as hard to guess; the same seed draws the same exit
   * @returns what names the exit, and the address targets see where that is known, otherwise a word of the exit's own
   */
  draw(seed: string): { readonly exit: string; readonly outgoingIp: string };
  /** The upstream as it leaves through one exit; light, and the same object for the same exit while that is in use. */
  through(exit: string): Upstream;
}

/** A way out. All failures are `GatewayError`s with the code the client is to be told. */
export interface Upstream {
  /** Unlike that of any other upstream; without credentials, so it can be logged. */
  readonly id: string;
  /** What the user calls it; the `id` where the user gave no name. */
  readonly name: string;
  /** The address targets see where it is known; otherwise a word of its own (the `id`), so that clocks stay apart. */
  readonly outgoingIp: string;
  /** ISO 3166 code, lower case. */
  readonly country: string | undefined;
  /** Where it leaves from, lower case. */
  readonly state: string | undefined;
  readonly city: string | undefined;
  /** Its share of new sessions and of requests without one, beside the others'; above 0, where it isn't said 1. */
  readonly weight?: number | undefined;
  /** Set where the vendor forgets an exit: how long after what `countsFrom` says; see `stickyEndsAtMs`. */
  readonly stickyMs?: number | undefined;
  readonly countsFrom?: 'use' | 'creation' | undefined;
  /** Set where the vendor forgets an exit sooner if it goes unused this long. */
  readonly stickyIdleMs?: number | undefined;
  /**
   * Name of the field, in lower case, in which the proxy's answers tell the outgoing IP: that to a CONNECT, and those to
   * plain requests. What stands there need not be an address. @see UpstreamOptions.onOutgoingIp
   */
  readonly tellsOutgoingIp?: string | undefined;
  /** Set where this one line stands for many exits; its own `dial` and `request` then leave through a fresh one. */
  readonly exits?: Exits | undefined;
  /**
   * Opens a connection to a target through this upstream. It can be half-closed, nothing of it has been read, and it
   * survives errors that come before the caller listens; from here on it is the caller's to destroy.
   *
   * @param signal gives the opening up; later it does nothing
   */
  dial(target: DialTarget, signal: GiveUp): Promise<Duplex>;
  /**
   * Sends a request, over TLS where it says so; resolves with the head of the answer, whose body is still to be read. A request
   * without body and without effect (GET, HEAD, OPTIONS) that meets a pooled connection its server has just closed is
   * sent once more; all others go out on connections of their own.
   *
   * An answer that stalls for the response timeout ends with a `timeout` GatewayError on its stream.
   */
  request(request: RawRequest): Promise<IncomingMessage>;
  /**
   * Sends a request that asks for another protocol, such as WebSocket: its head has `Upgrade` and `Connection: Upgrade`.
   * It goes over a connection of its own to the target itself, through a tunnel where the upstream is a proxy.
   *
   * @returns the connection, or the answer of a target that has not switched, as `request` gives it
   */
  upgrade(request: RawRequest): Promise<Upgraded | IncomingMessage>;
  /** Closes all connections of requests, those in use included; what `dial` and `upgrade` gave stays open. */
  close(): Promise<void>;
}
