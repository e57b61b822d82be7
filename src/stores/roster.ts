// The upstreams that a memory store chooses from, each with its turn and the sessions it has. What is known of one is
// kept from list to list; which of them is chosen is the rules' business.

import type { Candidate } from '../sessions/choice.js';
import type { Pins, Tally } from './pins.js';
import type { UpstreamChoice } from './session-store.js';

/** An upstream as a candidate. */
export interface Standing extends Candidate {
  choice: UpstreamChoice;
  weight: number;
  tally: Tally;
}

/** A list of upstreams, looked through once. */
export interface Roster {
  readonly standings: readonly Standing[];
  readonly byId: ReadonlyMap<string, Standing>;
}

/** Upstreams that are remembered beside those of the present list, so that one which was down keeps its turn. */
const MAX_FORMER = 10_000;

/** The rosters of the lists that are asked about; a list that is not changed is looked through once. */
export class Rosters {
  readonly #pins: Pins;
  #known = new Map<string, Standing>();
  #byList = new WeakMap<readonly UpstreamChoice[], Roster>();

  constructor(pins: Pins) {
    this.#pins = pins;
  }

  of(upstreams: readonly UpstreamChoice[]): Roster {
    const known = this.#byList.get(upstreams);
    if (known !== undefined) return known;
    if (this.#known.size > MAX_FORMER + upstreams.length || this.#pins.size > 2 * (MAX_FORMER + upstreams.length)) {
      this.#forget();
    }
    const standings = upstreams.map((choice) => this.#standingOf(choice));
    const roster = { standings, byId: new Map(standings.map((standing) => [standing.choice.id, standing])) };
    this.#byList.set(upstreams, roster);
    return roster;
  }

  /** The outgoing IP that an upstream was last known to have here. */
  outgoingIpOf(id: string): string | undefined {
    return this.#known.get(id)?.choice.outgoingIp;
  }

  #standingOf(choice: UpstreamChoice): Standing {
    const { id, weight = 1 } = choice;
    const known = this.#known.get(id);
    const tally = this.#pins.tallyOf(choice);
    // One object for all lists that have it as it is: turns taken in one are taken in all.
    if (known?.choice === choice && known.tally === tally) return known;
    const standing = { choice, weight, tally, turn: known?.turn ?? 0, lastChosen: known?.lastChosen ?? 0 };
    this.#known.set(id, standing);
    return standing;
  }

  #forget(): void {
    this.#known = new Map();
    this.#byList = new WeakMap();
    this.#pins.prune();
  }
}
