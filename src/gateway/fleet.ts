// The ways out as they stand now: which are listed, which of those are healthy, and which outgoing IP each is known to
// have. An entry that left the list lives on until its last exchange has ended. What a session does about a loss is the
// store's business.

import { isInPlace, type PlaceName } from '../sessions/choice.js';
import type { LearnedIp, UpstreamChoice } from '../stores/session-store.js';
import type { Upstream } from '../upstreams/upstream.js';
import { UpstreamEntries } from '../upstreams/upstream-entries.js';
import type { UpstreamSpec } from '../upstreams/upstream-url.js';

/** What the fleet asks of those who watch the upstreams. */
export interface FleetHealth {
  isUsable(id: string): boolean;
  /** When one that is down is tried again, in milliseconds from now; 0 for one that is not. */
  retryAfterMs(id: string): number;
  /** Calls the listener whenever `isUsable` of any has changed. @returns a function that ends it */
  onChange(listener: () => void): () => void;
}

/** What a fleet is made of. */
export interface FleetParts {
  readonly create: (spec: UpstreamSpec) => Upstream;
  /** Undefined: nobody watches, and all are usable. */
  readonly health?: FleetHealth | undefined;
  /** Takes what is learned about outgoing IPs. */
  readonly onLearned: (learned: Omit<LearnedIp, 'policy'>) => Promise<void>;
  /** Told when the list has changed, by the names of the entries; not of the first list. */
  readonly onChanged: (change: FleetChange) => void;
  /** Told when closing an upstream that has left fails. */
  readonly onFailure: (error: unknown) => void;
}

/** Entries that came and went, by name. */
export interface FleetChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** An upstream in use. */
export interface HeldUpstream {
  readonly upstream: Upstream;
  /** Ends the use; later calls change nothing. */
  readonly release: () => void;
}

/** The ways out of a gateway. */
export interface Fleet {
  /** By ID: a listed one, or one that left the list and still has open exchanges. */
  get(id: string): Upstream | undefined;
  /** Those in the list now, in its order. */
  all(): readonly Upstream[];
  /** Those in the list that are healthy: one and the same array until the list, health or an outgoing IP changes. */
  usable(): readonly UpstreamChoice[];
  isListed(id: string): boolean;
  isUsable(id: string): boolean;
  /** The address targets see, as it is known by now. */
  outgoingIpOf(id: string): string | undefined;
  /** When one that is down is tried again, in milliseconds from now; 0 for one that is not. */
  retryAfterMs(id: string): number;
  /** When the first of those in a place that are down is tried again; undefined where none there is down. */
  firstRetryMs(asked: PlaceName): number | undefined;
  /** Keeps an upstream open until it is released, in the list or not. */
  hold(id: string): HeldUpstream | undefined;
  /** Notes the address that targets see; with an exit, that of this exit alone. */
  learnOutgoingIp(upstreamId: string, exit: string | undefined, outgoingIp: string): Promise<void>;
  /** Takes a list in place of the one before; entries that are in both stay as they are. */
  list(specs: readonly UpstreamSpec[]): void;
  /** Closes all upstreams, those in use included. */
  close(): Promise<void>;
}

/** Makes a fleet without entries; `list` gives it some. */
export function createFleet(parts: FleetParts): Fleet {
  return new ListedFleet(parts);
}

/** An upstream and what is known of it. */
interface Entry {
  readonly spec: UpstreamSpec;
  readonly upstream: Upstream;
  outgoingIp: string;
  /** As it is chosen from; made once, however often the health of others changes. */
  choice: UpstreamChoice | undefined;
  /** Exchanges and tunnels that are held or running. */
  uses: number;
  isListed: boolean;
}

class ListedFleet implements Fleet {
  readonly #parts: FleetParts;
  readonly #entries = new UpstreamEntries();
  #listed = new Map<string, Entry>();
  /** Left the list, with open exchanges; bounded by the requests in flight. */
  readonly #leaving = new Set<Entry>();
  readonly #unwatch: (() => void) | undefined;
  #all: readonly Upstream[] = [];
  #usable: readonly UpstreamChoice[] | undefined;
  #isFirstList = true;

  constructor(parts: FleetParts) {
    this.#parts = parts;
    this.#unwatch = parts.health?.onChange(() => (this.#usable = undefined));
  }

  get(id: string): Upstream | undefined {
    return this.#find(id)?.upstream;
  }

  all(): readonly Upstream[] {
    return this.#all;
  }

  usable(): readonly UpstreamChoice[] {
    this.#usable ??= [...this.#listed.values()].filter(({ spec }) => this.isUsable(spec.id)).map(choiceOf);
    return this.#usable;
  }

  isListed(id: string): boolean {
    return this.#listed.has(id);
  }

  isUsable(id: string): boolean {
    return this.isListed(id) && (this.#parts.health?.isUsable(id) ?? true);
  }

  outgoingIpOf(id: string): string | undefined {
    return this.#find(id)?.outgoingIp;
  }

  retryAfterMs(id: string): number {
    return this.#parts.health?.retryAfterMs(id) ?? 0;
  }

  firstRetryMs(asked: PlaceName): number | undefined {
    const down = this.#all.filter((upstream) => isInPlace(upstream, asked) && !this.isUsable(upstream.id));
    return down.length === 0 ? undefined : Math.min(...down.map(({ id }) => this.retryAfterMs(id)));
  }

  hold(id: string): HeldUpstream | undefined {
    const entry = this.#find(id);
    if (entry === undefined) return undefined;
    entry.uses += 1;
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      entry.uses -= 1;
      if (entry.uses === 0 && !entry.isListed) this.#closeLeft(entry);
    };
    return { upstream: entry.upstream, release };
  }

  async learnOutgoingIp(upstreamId: string, exit: string | undefined, outgoingIp: string): Promise<void> {
    const entry = this.#find(upstreamId);
    if (entry === undefined) return;
    if (exit === undefined) {
      if (entry.outgoingIp === outgoingIp) return;
      entry.outgoingIp = outgoingIp;
      entry.choice = undefined;
      this.#usable = undefined;
    }
    await this.#parts.onLearned({ upstreamId, exit, outgoingIp });
  }

  list(specs: readonly UpstreamSpec[]): void {
    const before = this.#listed;
    const entries = this.#entries.replace(specs).map((spec) => {
      const known = before.get(spec.id);
      return known?.spec === spec ? known : this.#createEntry(spec, known);
    });
    this.#listed = new Map(entries.map((entry) => [entry.spec.id, entry]));
    this.#all = entries.map(({ upstream }) => upstream);
    this.#usable = undefined;
    const removed = [...before.values()].filter((entry) => this.#listed.get(entry.spec.id) !== entry);
    for (const entry of removed) this.#leave(entry);
    const added = entries.filter((entry) => before.get(entry.spec.id) !== entry);
    if (!this.#isFirstList && added.length + removed.length > 0) {
      this.#parts.onChanged({ added: added.map(nameOf), removed: removed.map(nameOf) });
    }
    this.#isFirstList = false;
  }

  async close(): Promise<void> {
    this.#unwatch?.();
    await Promise.all([...this.#listed.values(), ...this.#leaving].map(({ upstream }) => upstream.close()));
  }

  /** One that was there with another password has the outgoing IP that was learned of it. */
  #createEntry(spec: UpstreamSpec, known: Entry | undefined): Entry {
    const upstream = this.#parts.create(spec);
    const learned = upstream.outgoingIp === upstream.id ? known?.outgoingIp : undefined;
    return { spec, upstream, outgoingIp: learned ?? upstream.outgoingIp, choice: undefined, uses: 0, isListed: true };
  }

  #find(id: string): Entry | undefined {
    const listed = this.#listed.get(id);
    if (listed !== undefined) return listed;
    for (const entry of this.#leaving) if (entry.spec.id === id) return entry;
    return undefined;
  }

  #leave(entry: Entry): void {
    entry.isListed = false;
    if (entry.uses === 0) this.#closeLeft(entry);
    else this.#leaving.add(entry);
  }

  #closeLeft(entry: Entry): void {
    this.#leaving.delete(entry);
    entry.upstream.close().catch((error: unknown) => this.#parts.onFailure(error));
  }
}

function nameOf({ spec }: Entry): string {
  return spec.name;
}

function choiceOf(entry: Entry): UpstreamChoice {
  const { upstream, outgoingIp } = entry;
  const { id, country, state, city, weight, exits } = upstream;
  const draw = exits && ((seed: string) => exits.draw(seed));
  entry.choice ??= { id, outgoingIp, country, state, city, weight, draw };
  return entry.choice;
}
