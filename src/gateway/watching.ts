// The eyes on the upstreams of a gateway: their health, what is asked through them because the user wants it so, and which
// outgoing IPs become known. What follows for sessions is the business of fleet and store.

import type { Clock } from '../stores/clock.js';
import { createUpstream } from '../upstreams/create-upstreams.js';
import { HealthBook } from '../upstreams/health.js';
import type { HealthEvent } from '../upstreams/health-page.js';
import { OutgoingIps } from '../upstreams/outgoing-ips.js';
import { bare } from '../upstreams/ask-url.js';
import { Prober } from '../upstreams/probe.js';
import type { TargetPolicy } from '../upstreams/target-policy.js';
import type { Upstream } from '../upstreams/upstream.js';
import type { ToldOutgoingIp, UpstreamOptions } from '../upstreams/upstream-parts.js';
import type { UpstreamSpec } from '../upstreams/upstream-url.js';
import { watchUpstream } from '../upstreams/watched-upstream.js';
import { askedUrl } from './asked-url.js';
import type { EventSink } from './events.js';
import type { ResolvedOptions } from './options.js';

/** How often is looked for outgoing IPs that are to be asked again, in milliseconds. */
const LOOK_EVERY_MS = 5_000;

const OWN_ADDRESSES: ReadonlySet<UpstreamSpec['kind']> = new Set(['local', 'prefix', 'direct']);

/** What a watch depends on. */
export interface WatchingParts {
  readonly options: ResolvedOptions;
  readonly policy: TargetPolicy;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** The fleet as it is seen from here. */
export interface WatchedFleet {
  get(id: string): Upstream | undefined;
  all(): readonly Upstream[];
  isUsable(id: string): boolean;
  learnOutgoingIp(upstreamId: string, exit: string | undefined, outgoingIp: string): Promise<void>;
}

/** Watches the upstreams it creates. `serve` it a fleet of them, `close` it at the end. */
export class Watching {
  readonly health: HealthBook;
  readonly #parts: WatchingParts;
  readonly #upstreamOptions: UpstreamOptions;
  #fleet: WatchedFleet | undefined;
  #outgoingIps: OutgoingIps | undefined;
  #prober: Prober | undefined;
  #callOff: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: WatchingParts) {
    const { options, policy, clock } = parts;
    this.#parts = parts;
    this.#upstreamOptions = {
      policy,
      connectTimeoutMs: options.timeouts.connectMs,
      responseTimeoutMs: options.timeouts.responseMs,
      onOutgoingIp: (told) => this.#outgoingIps?.heard(told),
    };
    this.health = new HealthBook({
      askedHosts: new Set(askedUrls(options).map((url) => bare(new URL(url).hostname))),
      nowMs: () => clock.nowMs(),
      random: Math.random,
      later,
      emit: (event) => this.#tellHealth(event),
    });
  }

  /** Creates an upstream whose uses are watched. */
  create(spec: UpstreamSpec): Upstream {
    const isOwnAddress = OWN_ADDRESSES.has(spec.kind);
    return watchUpstream(createUpstream(spec, this.#upstreamOptions), this.health, { isOwnAddress });
  }

  /** Begins to ask what the options want asked. */
  serve(fleet: WatchedFleet): void {
    if (this.#isClosed) return;
    const { options, clock, emit } = this.#parts;
    const { health, outgoingIps, rules } = options;
    const nowMs = (): number => clock.nowMs();
    this.#fleet = fleet;
    this.#outgoingIps = new OutgoingIps({
      echo: askedUrl(outgoingIps.echoUrl, options),
      sessionTtlMs: rules.sessions.ttlMs,
      nowMs,
      find: (id) => fleet.get(id),
      isUsable: (id) => fleet.isUsable(id),
      learn: (learned) => this.#learn(fleet, learned),
      emit,
    });
    this.changed();
    if (outgoingIps.echoUrl !== undefined) this.#look();
    const probe = askedUrl(health.probe?.url, options);
    if (probe === undefined || health.probe === undefined) return;
    const upstreams = (): readonly Upstream[] => fleet.all();
    const { intervalMs, perMinute } = health.probe;
    const book = this.health;
    this.#prober = new Prober({
      ...probe,
      intervalMs,
      perMinute,
      nowMs,
      random: Math.random,
      later,
      health: book,
      upstreams,
    });
  }

  /** Tells that the list of the fleet has changed. */
  changed(): void {
    this.#outgoingIps?.listed(this.#fleet?.all() ?? []);
  }

  /** Tells that a session goes out through an exit. */
  used(upstreamId: string, exit: string | undefined): void {
    if (exit === undefined) return;
    const upstream = this.#fleet?.get(upstreamId);
    if (upstream !== undefined) this.#outgoingIps?.used(upstream, exit);
  }

  /** Ends all clocks and questions. */
  close(): void {
    this.#isClosed = true;
    this.#callOff?.();
    this.#prober?.close();
    this.#outgoingIps?.close();
    this.health.close();
  }

  #tellHealth(event: HealthEvent): void {
    this.#parts.emit(event);
    if (event.type === 'upstream.up') this.#outgoingIps?.cameBack(event.upstream);
  }

  #learn(fleet: WatchedFleet, { upstreamId, exit, ip }: ToldOutgoingIp): void {
    fleet.learnOutgoingIp(upstreamId, exit, ip).catch((error: unknown) => {
      this.#parts.emit({ type: 'gateway.failure', error, during: 'learning an outgoing IP' });
    });
  }

  #look(): void {
    this.#callOff = later(() => {
      this.#outgoingIps?.tick();
      this.#look();
    }, LOOK_EVERY_MS);
  }
}

function askedUrls({ outgoingIps, health }: ResolvedOptions): readonly string[] {
  return [outgoingIps.echoUrl, health.probe?.url].filter((url) => url !== undefined);
}

function later(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
}
