// What went through each upstream, per API key: counted from the events of uses, for whoever wants to see it.

import type { GatewayEvent } from './events.js';

/** What went through one upstream. */
export interface UpstreamTally {
  uses: number;
  /** Uses whose target has banned the outgoing IP. */
  bans: number;
  bytesIn: number;
  bytesOut: number;
  /** Times that a session on it was found to have another outgoing IP than it was known to have. */
  ipChanges: number;
}

/** Upstreams that are counted per API key; past that the one counted first starts at nothing again. */
const MAX_PER_OWNER = 50_000;

const NOTHING: Readonly<UpstreamTally> = { uses: 0, bans: 0, bytesIn: 0, bytesOut: 0, ipChanges: 0 };

/** The tallies of a gateway; bounded by its API keys and `MAX_PER_OWNER`. */
export class UpstreamTallies {
  readonly #byOwner = new Map<string, Map<string, UpstreamTally>>();

  of(owner: string, upstreamId: string): Readonly<UpstreamTally> {
    return this.#byOwner.get(owner)?.get(upstreamId) ?? NOTHING;
  }

  onEvent(event: GatewayEvent): void {
    if (event.type === 'session.ip-changed') this.#tallyOf(event.owner, event.upstream).ipChanges += 1;
    if (event.type !== 'use.settled' || event.upstream === undefined) return;
    const tally = this.#tallyOf(event.owner, event.upstream);
    tally.uses += 1;
    if (event.error === 'banned') tally.bans += 1;
    tally.bytesIn += event.bytesIn;
    tally.bytesOut += event.bytesOut;
  }

  #tallyOf(owner: string, upstreamId: string): UpstreamTally {
    const tallies = this.#byOwner.get(owner) ?? new Map<string, UpstreamTally>();
    this.#byOwner.set(owner, tallies);
    const known = tallies.get(upstreamId);
    if (known !== undefined) return known;
    const tally = { ...NOTHING };
    tallies.set(upstreamId, tally);
    if (tallies.size > MAX_PER_OWNER) tallies.delete(tallies.keys().next().value as string);
    return tally;
  }
}
