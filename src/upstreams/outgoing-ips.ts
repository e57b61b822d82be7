// Learns which address targets see of each way out, from those who know: what is configured wins, then what a proxy tells
// in its answers, then a service that the user has named. Nobody else is asked, and nothing is assumed.

import { setMaxListeners } from 'node:events';
import { isIP } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { askThrough } from './ask-url.js';
import { toGatewayError } from './dial-errors.js';
import { readEchoedIp } from './echoed-ip.js';
import { asksAtMs, createRoute, type IpRoute, noteRouteUse } from './ip-route.js';
import type { Upstream } from './upstream.js';
import type { ToldOutgoingIp } from './upstream-parts.js';

/** Routes that are kept, about 200 bytes each; past that the one used longest ago is forgotten, and asked at its next use. */
const MAX_ROUTES = 50_000;

/** Requests to the service at a time. */
const MAX_ASKING = 8;

/** What becomes known of outgoing IPs. */
export type OutgoingIpEvent =
  | {
      readonly type: 'upstream.ip-learned';
      /** Its ID. */
      readonly upstream: string;
      readonly exit: string | undefined;
      readonly outgoingIp: string;
    }
  | {
      /** Told once for an upstream, until it can be asked again. */
      readonly type: 'upstream.ip-unknown';
      readonly upstream: string;
      readonly exit: string | undefined;
      readonly message: string;
    };

/** A service that answers with the address it sees. */
export interface EchoService {
  readonly url: string;
  /** Whether its certificate is verified. */
  readonly verify: boolean;
}

/** What the learning of outgoing IPs depends on. */
export interface OutgoingIpsOptions {
  /** Undefined: nobody is asked. */
  readonly echo: EchoService | undefined;
  /** How long a session outlives its last use, in milliseconds. */
  readonly sessionTtlMs: number;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  /** The upstream of that ID. */
  readonly find: (id: string) => Upstream | undefined;
  readonly isUsable: (id: string) => boolean;
  /** Takes what was learned. */
  readonly learn: (learned: ToldOutgoingIp) => void;
  readonly emit: (event: OutgoingIpEvent) => void;
}

/** The outgoing IPs of all upstreams. `tick` it every few seconds, `close` it at the end. */
export class OutgoingIps {
  readonly #options: OutgoingIpsOptions;
  /** At most `MAX_ROUTES`, used longest ago first. */
  readonly #routes = new Map<string, IpRoute>();
  /** Upstreams whose last question had no answer; no more than there are upstreams. */
  readonly #failing = new Set<string>();
  readonly #seen = new WeakSet<Upstream>();
  readonly #closing = new AbortController();
  #asking = 0;

  constructor(options: OutgoingIpsOptions) {
    this.#options = options;
    // Each question listens, and their number is bounded.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Takes the list of upstreams: those of one outgoing IP are asked, what is known of those that left is forgotten. */
  listed(upstreams: readonly Upstream[]): void {
    // Another upstream under an ID that was there before has other credentials, and other addresses perhaps.
    const known = new Set(upstreams.filter((upstream) => this.#seen.has(upstream)).map(({ id }) => id));
    for (const [key, { upstreamId }] of this.#routes) if (!known.has(upstreamId)) this.#routes.delete(key);
    for (const id of this.#failing) if (!known.has(id)) this.#failing.delete(id);
    for (const upstream of upstreams) this.#seen.add(upstream);
    for (const { id, exits, outgoingIp } of upstreams) {
      if (exits === undefined && isIP(outgoingIp) === 0) this.#routeOf(id, undefined);
    }
    this.tick();
  }

  /** Tells that a session goes out now. Cheap: it comes with every request of a session. */
  used(upstream: Upstream, exit: string | undefined): void {
    if (exit === undefined || (this.#options.echo === undefined && upstream.tellsOutgoingIp === undefined)) return;
    // The addresses of a prefix are known as they are.
    if (isIP(exit) !== 0) return;
    const nowMs = this.#options.nowMs();
    const key = keyOf(upstream.id, exit);
    const known = this.#routes.get(key);
    if (known !== undefined) this.#routes.delete(key);
    const route = known ?? createRoute(upstream.id, exit, nowMs);
    this.#keep(key, route);
    const isForgotten = known !== undefined && nowMs >= asksAtMs(route, upstream, Infinity);
    noteRouteUse(route, upstream, nowMs);
    route.sessionUsedAtMs = nowMs;
    if (isForgotten || nowMs >= asksAtMs(route, upstream, Infinity)) this.#ask(route);
  }

  /** Takes what a proxy told in its answer. Of an exit that no session uses, nobody wants to know. */
  heard({ upstreamId, exit, ip }: ToldOutgoingIp): void {
    const route = exit === undefined ? this.#routeOf(upstreamId, exit) : this.#routes.get(keyOf(upstreamId, exit));
    if (route !== undefined) this.#learn(route, ip);
  }

  /** Tells that an upstream was down and is back, by another address perhaps. */
  cameBack(upstreamId: string): void {
    const route = this.#routes.get(keyOf(upstreamId, undefined));
    if (route !== undefined) this.#ask(route);
  }

  /** Asks those whose time has come, as many as may be asked at once. */
  tick(): void {
    const { nowMs, find, isUsable, sessionTtlMs, echo } = this.#options;
    if (echo === undefined) return;
    const now = nowMs();
    for (const route of this.#routes.values()) {
      if (this.#asking >= MAX_ASKING) return;
      if (route.isAsking || !isUsable(route.upstreamId)) continue;
      const upstream = find(route.upstreamId);
      if (upstream !== undefined && asksAtMs(route, upstream, sessionTtlMs) <= now) this.#ask(route);
    }
  }

  /** Gives up what is being asked. */
  close(): void {
    this.#closing.abort(new GatewayError('serverbusy', 'The gateway is shutting down'));
    this.#routes.clear();
  }

  #ask(route: IpRoute): void {
    const { echo, find, isUsable, nowMs } = this.#options;
    const upstream = isUsable(route.upstreamId) ? find(route.upstreamId) : undefined;
    // Those that have to wait for their turn are found by a tick.
    if (echo === undefined || upstream === undefined || route.isAsking || this.#asking >= MAX_ASKING) return;
    route.isAsking = true;
    this.#asking += 1;
    noteRouteUse(route, upstream, nowMs());
    void this.#exchange(route, upstream, echo).finally(() => {
      route.isAsking = false;
      this.#asking -= 1;
      if (!this.#closing.signal.aborted) this.tick();
    });
  }

  /** Never rejects. */
  async #exchange(route: IpRoute, upstream: Upstream, echo: EchoService): Promise<void> {
    const { upstreamId, exit } = route;
    try {
      const way = exit === undefined ? upstream : (upstream.exits?.through(exit) ?? upstream);
      const { status, text } = await askThrough(way, { ...echo, signal: this.#closing.signal });
      const outgoingIp = status === 200 ? readEchoedIp(text) : undefined;
      if (outgoingIp === undefined) {
        throw new GatewayError('send_failed', `${echo.url} did not answer with an address (status ${status})`);
      }
      this.#failing.delete(upstreamId);
      this.#learn(route, outgoingIp);
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#noteFailure(route, error);
    }
  }

  #learn(route: IpRoute, outgoingIp: string): void {
    route.failures = 0;
    if (route.outgoingIp === outgoingIp) return;
    const { upstreamId, exit } = route;
    const { find, learn, emit } = this.#options;
    // What the user has configured counts, whatever others say.
    const configured = find(upstreamId)?.outgoingIp ?? '';
    if (exit === undefined && isIP(configured) !== 0) return;
    route.outgoingIp = outgoingIp;
    emit({ type: 'upstream.ip-learned', upstream: upstreamId, exit, outgoingIp });
    learn({ upstreamId, exit, ip: outgoingIp });
  }

  #noteFailure(route: IpRoute, error: unknown): void {
    const { upstreamId, exit } = route;
    route.failures += 1;
    route.failedAtMs = this.#options.nowMs();
    if (this.#failing.has(upstreamId)) return;
    this.#failing.add(upstreamId);
    const { message } = toGatewayError(error, `Asking for the outgoing IP of ${upstreamId}`);
    this.#options.emit({ type: 'upstream.ip-unknown', upstream: upstreamId, exit, message });
  }

  #routeOf(upstreamId: string, exit: string | undefined): IpRoute {
    const key = keyOf(upstreamId, exit);
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const route = createRoute(upstreamId, exit, this.#options.nowMs());
    this.#keep(key, route);
    return route;
  }

  #keep(key: string, route: IpRoute): void {
    this.#routes.set(key, route);
    for (const oldest of this.#routes.keys()) {
      if (this.#routes.size <= MAX_ROUTES) return;
      this.#routes.delete(oldest);
    }
  }
}

/** IDs of upstreams have no spaces. */
function keyOf(upstreamId: string, exit: string | undefined): string {
  return exit === undefined ? upstreamId : `${upstreamId} ${exit}`;
}
