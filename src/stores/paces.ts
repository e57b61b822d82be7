// The clocks of a memory store. A drained clock is as good as none, so it is dropped: what is kept is bounded by the
// uses of the last `hardLimitMs`.

import { createPace, followClock, isDrained, type Pace } from '../sessions/pace.js';
import { paceKeyOf } from '../sessions/pace-key.js';
import type { DelaySettings } from '../sessions/settings.js';
import { DeadlineHeap, type Ending } from './deadline-heap.js';

/** Clocks looked at per call, so that dropping many is spread over many calls. */
const DROP_PER_CALL = 8;

/** Whose clock it is: the outgoing IP's as a whole, or that of the IP and a site. */
export interface PaceOwner {
  readonly outgoingIp: string;
  readonly site: string;
}

interface KeptPace extends Ending, PaceOwner {
  readonly pace: Pace;
}

/** The clocks of one site by outgoing IP. */
type SitePaces = Map<string, KeptPace>;

/** The clocks that are not drained, by site and outgoing IP; where one covers all sites, that is the site `''`. */
export class Paces {
  readonly #scope: DelaySettings['scope'];
  readonly #bySite = new Map<string, SitePaces>();
  readonly #byEnd = new DeadlineHeap<KeptPace>();

  constructor(scope: DelaySettings['scope']) {
    this.#scope = scope;
  }

  /** Names a clock. */
  keyOf({ outgoingIp, site }: PaceOwner): string {
    return paceKeyOf(outgoingIp, site, this.#scope);
  }

  /** When a clock is free, epoch milliseconds; in the past for one that is drained. */
  freeAtMs({ outgoingIp, site }: PaceOwner): number {
    return this.#ofSite(site)?.get(outgoingIp)?.pace.nextFreeAtMs ?? -Infinity;
  }

  /** The same for many outgoing IPs, without a clock being named for each. */
  freeAtSite(site: string): (outgoingIp: string) => number {
    const paces = this.#ofSite(site);
    if (paces === undefined) return () => -Infinity;
    return (outgoingIp) => paces.get(outgoingIp)?.pace.nextFreeAtMs ?? -Infinity;
  }

  /** Lets `change` work on a clock, which is kept if it is not drained afterwards. */
  change<R>(owner: PaceOwner, nowMs: number, change: (pace: Pace) => R): R {
    this.#dropDrained(nowMs);
    const known = this.#ofSite(owner.site)?.get(owner.outgoingIp);
    const pace = known?.pace ?? createPace();
    const result = change(pace);
    if (!isDrained(pace, nowMs)) this.#keep(known ?? this.#add(owner, pace));
    else if (known !== undefined) this.#drop(known);
    return result;
  }

  /** Lets the clocks of an outgoing IP follow those of what has turned out to be the same address. */
  follow(outgoingIp: string, other: string, nowMs: number): void {
    for (const [site, paces] of this.#bySite) {
      const kept = paces.get(other);
      if (kept === undefined) continue;
      const { nextFreeAtMs } = kept.pace;
      this.change({ outgoingIp, site }, nowMs, (pace) => followClock(pace, nextFreeAtMs));
    }
  }

  #ofSite(site: string): SitePaces | undefined {
    return this.#bySite.get(this.#scope === 'ip' ? '' : site);
  }

  #add({ outgoingIp, site }: PaceOwner, pace: Pace): KeptPace {
    const own = this.#scope === 'ip' ? '' : site;
    const paces = this.#bySite.get(own) ?? new Map<string, KeptPace>();
    this.#bySite.set(own, paces);
    const kept = { outgoingIp, site: own, pace, heapIndex: -1 };
    paces.set(outgoingIp, kept);
    return kept;
  }

  #keep(kept: KeptPace): void {
    this.#byEnd.put(kept, kept.pace.nextFreeAtMs);
  }

  #drop(kept: KeptPace): void {
    const paces = this.#bySite.get(kept.site);
    paces?.delete(kept.outgoingIp);
    if (paces?.size === 0) this.#bySite.delete(kept.site);
    this.#byEnd.take(kept);
  }

  #dropDrained(nowMs: number): void {
    for (let dropped = 0; dropped < DROP_PER_CALL; dropped += 1) {
      const first = this.#byEnd.first();
      if (first === undefined || !isDrained(first.pace, nowMs)) return;
      this.#drop(first);
    }
  }
}
