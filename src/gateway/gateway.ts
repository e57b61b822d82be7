// A gateway: its parts put together, started and stopped. What a request goes through is in `dispatch.ts` and behind.

import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { GatewayError } from '../sessions/errors.js';
import { systemClock } from '../stores/clock.js';
import { createMemoryStore } from '../stores/memory-store.js';
import { newSessionId } from '../stores/session-id.js';
import type { SessionStore } from '../stores/session-store.js';
import { bracketed } from '../upstreams/target-address.js';
import { createTargetPolicy } from '../upstreams/target-policy.js';
import { resolveUpstreams } from '../upstreams/upstream-url.js';
import { createKeyCheck } from './api-keys.js';
import type { GatewayContext } from './context.js';
import { openCertificateAuthority } from './certificates/certificate-authority.js';
import { createDispatch, type Dispatch } from './dispatch.js';
import type { EventSink } from './events.js';
import { createFleet, type Fleet } from './fleet.js';
import type { GatewayOptions } from './gateway-options.js';
import { LastRefusals } from './last-refusals.js';
import { resolveOptions, type ResolvedOptions } from './options.js';
import { once } from './once.js';
import { OwnPlaces } from './own-places.js';
import { ParallelLimit } from './parallel-limit.js';
import { createProfiles } from './profiles/profiles.js';
import { ProxyServer } from './proxy-server.js';
import { createLazyApi } from './routes/lazy-api.js';
import { createStats } from './stats/stats.js';
import { TlsListener } from './tls-listener.js';
import { createUpstreamList, type UpstreamList } from './upstream-list.js';
import { UpstreamTallies } from './upstream-tallies.js';
import { Watching } from './watching.js';
import { WaitingRoom } from './waiting-room.js';

/** What clients that were waiting are told to wait before they try again, in milliseconds. */
const RETRY_AFTER_CLOSE_MS = 5000;

/** How long uses that were cut off may take to be settled, in milliseconds. */
const SETTLE_WITHIN_MS = 1000;

/** What a gateway is given besides its options. */
export interface GatewayHooks {
  /** Takes what happens: uses, sessions, failures. */
  readonly onEvent?: EventSink | undefined;
}

/**
 * A proxy server that gives its clients sessions over the configured upstreams.
 *
 * @example
 * const gateway = new Gateway({ upstreams: ['http://user:pass@proxy.example:3128'] });
 * await gateway.listen();
 * console.log(gateway.proxyUrl);
 */
export class Gateway {
  readonly #options: ResolvedOptions;
  readonly #context: GatewayContext;
  readonly #closing = new AbortController();
  readonly #dispatch: Dispatch;
  readonly #upstreamList: UpstreamList | undefined;
  readonly #server: ProxyServer;
  readonly #tlsListener: TlsListener | undefined;
  readonly #apiKey: string;
  readonly #emit: EventSink;
  readonly #tallies = new UpstreamTallies();
  readonly #refusals = new LastRefusals(systemClock);
  readonly #places: OwnPlaces;
  /** The true port, once it listens. */
  #port: number;
  #closed: Promise<void> | undefined;

  /** @throws ConfigurationError that lists everything wrong with the options */
  constructor(options: GatewayOptions, hooks: GatewayHooks = {}) {
    this.#options = resolveOptions(options);
    this.#port = this.#options.port;
    this.#places = new OwnPlaces(this.#options.publicHosts);
    const apiKeys = this.#options.apiKeys.length > 0 ? this.#options.apiKeys : [randomBytes(16).toString('hex')];
    this.#apiKey = apiKeys[0] as string;
    const stats = createStats({ clock: systemClock });
    this.#emit = (event) => {
      stats.onEvent(event);
      this.#refusals.onEvent(event);
      this.#tallies.onEvent(event);
      hooks.onEvent?.(event);
    };
    this.#context = this.#createContext(apiKeys);
    this.#upstreamList = createUpstreamList(this.#options, this.#context);
    this.#dispatch = createDispatch(
      this.#context,
      createLazyApi(this.#context, { stats, isLoopback: () => this.#places.isLoopback }),
    );
    const { host, port, tlsPort } = this.#options;
    this.#server = new ProxyServer({
      host,
      port,
      ...this.#dispatch,
      onRejected: ({ code, message }, socket) =>
        this.#emit({ type: 'request.rejected', error: code, message, remote: socket.remoteAddress ?? 'unknown' }),
    });
    if (tlsPort !== undefined) this.#tlsListener = this.#createTlsListener(tlsPort);
  }

  /** Starts to listen. @throws the error of the system, such as EADDRINUSE; ConfigurationError for a bad list of upstreams */
  async listen(): Promise<void> {
    if (this.#closed !== undefined) throw new Error('This gateway was closed; make a new one');
    await this.#upstreamList?.start();
    await this.#server.listen();
    const { address, port } = this.#server.address;
    this.#port = port;
    this.#places.add({ host: address, port });
    try {
      await this.#tlsListener?.listen();
      if (this.#tlsListener !== undefined) this.#places.add({ host: address, port: this.#tlsListener.port });
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#context.watching.serve(this.#context.fleet);
    this.#emit({ type: 'gateway.listening', url: this.url });
  }

  /** `http://host:port`, with the true port once it listens. */
  get url(): string {
    return `http://${bracketed(this.#options.host)}:${this.#port}`;
  }

  /** `https://host:port` of the port for TLS, with the true port once it listens; undefined where there is none. */
  get tlsUrl(): string | undefined {
    if (this.#tlsListener === undefined) return undefined;
    return `https://${bracketed(this.#options.host)}:${this.#tlsListener.port}`;
  }

  /** The same with the first API key: what clients are given as their proxy. */
  get proxyUrl(): string {
    return this.url.replace('//', `//${this.#apiKey}:@`);
  }

  /** Requests and CONNECTs that wait for their start. */
  get heldUses(): number {
    return this.#context.room.size;
  }

  /**
   * Stops: no new connections, requests that wait for their slot are answered 503 at once, running ones may go on for
   * `drainTimeout`, the rest is cut. Calling it again waits for the same end.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const { room, store, fleet, watching } = this.#context;
    this.#emit({ type: 'gateway.closing', held: room.size });
    watching.close();
    this.#upstreamList?.close();
    const reason = new GatewayError('serverbusy', 'The gateway is shutting down; try again later', {
      retryAfterMs: RETRY_AFTER_CLOSE_MS,
    });
    this.#closing.abort(reason);
    room.close(reason);
    this.#tlsListener?.close();
    this.#dispatch.drainTunnels();
    await this.#server.drain(this.#options.drainTimeoutMs);
    // All connections are gone, so these end now; one that did not would be a fault, which must not keep us here.
    await Promise.race([Promise.all(this.#context.open), setTimeout(SETTLE_WITHIN_MS, undefined, { ref: false })]);
    await fleet.close();
    await store.close();
  }

  #createTlsListener(port: number): TlsListener {
    const { host, publicHosts } = this.#options;
    return new TlsListener({
      host,
      port,
      names: publicHosts,
      authority: this.#context.authority,
      serve: (socket) => this.#server.serve(socket),
      onFailure: (error) => this.#emit({ type: 'gateway.failure', error, during: 'tls' }),
    });
  }

  #createContext(apiKeys: readonly string[]): GatewayContext {
    const options = this.#options;
    const store = createMemoryStore({ clock: systemClock, settings: options.rules, newId: newSessionId });
    store.subscribe((event) => {
      if (event.type !== 'moved') this.#emit(event);
    });
    const policy = createTargetPolicy({
      allowPrivate: options.targets.allowPrivate,
      isOwnAddress: (ip, port) => this.#places.hasAddress(ip, port),
    });
    const watching = new Watching({ options, policy, clock: systemClock, emit: this.#emit });
    return {
      options,
      clock: systemClock,
      store,
      room: new WaitingRoom({ clock: systemClock, store }),
      fleet: this.#createFleet(store, watching),
      watching,
      policy,
      authenticate: createKeyCheck(apiKeys),
      emit: this.#emit,
      refusals: this.#refusals,
      tallies: this.#tallies,
      parallel: new ParallelLimit(options.maxConnections),
      profiles: createProfiles(),
      cookieJars: once(async () => {
        const { createCookieJars } = await import('./cookies/cookie-jars.js');
        return createCookieJars({ clock: systemClock });
      }),
      authority: once(() => openCertificateAuthority({ dataDir: options.dataDir, ...options.ca })),
      isOwnAuthority: (host, port) => this.#places.hasAuthority(host, port),
      open: new Set(),
      closing: this.#closing.signal,
    };
  }

  #createFleet(store: SessionStore, watching: Watching): Fleet {
    const { upstreams, outgoingIps } = this.#options;
    const fleet = createFleet({
      create: (spec) => watching.create(spec),
      health: watching.health,
      onLearned: (learned) => store.learnOutgoingIp({ ...learned, policy: outgoingIps.onChange }),
      onChanged: (change) => {
        this.#emit({ type: 'upstreams.changed', ...change });
        watching.changed();
      },
      onFailure: (error) => this.#emit({ type: 'gateway.failure', error, during: 'closing an upstream' }),
    });
    // With a file, nothing is listed before that is read: the whole is one list.
    if (this.#options.upstreamsFile === undefined) fleet.list(resolveUpstreams(upstreams));
    return fleet;
  }
}
