// Which upstream a session is pinned to, and which one serves a request without a session. The usable upstreams
// are handed in as values: whether one is healthy is decided elsewhere.
//
// Each upstream has its share by its weight. Sessions count by their number; requests without a session take turns,
// and a turn moves an upstream back by `1 / weight`. One that was away has no turns to catch up on: it comes back at
// the present one.

/** A usable way out, with what the choice depends on; kept from choice to choice and changed in place. */
export interface Candidate {
  /** Its share beside those of the others; above 0. */
  readonly weight: number;
  /** Sessions on its outgoing IP; of one that has many outgoing IPs, all that it has. */
  readonly tally: { readonly sessions: number };
  /** The turn it has next. */
  turn: number;
  /** Rises with every choice; the upstream chosen longest ago has the lowest. */
  lastChosen: number;
}

/** What is chosen from. The functions are asked as rarely as can be. */
export interface Choice<T extends Candidate> {
  readonly candidates: readonly T[];
  /** The turn of the last choice. */
  readonly turn: number;
  /** How long its clock is not free, in milliseconds; 0 where it is. */
  readonly waitMs: (candidate: T) => number;
  /** Whether it may be taken at all. */
  readonly isOpen: (candidate: T) => boolean;
}

/** Where an upstream leaves from, or is asked to; all in lower case, undefined where nothing is known or asked. */
export interface PlaceName {
  /** ISO 3166 code. */
  readonly country?: string | undefined;
  readonly state?: string | undefined;
  readonly city?: string | undefined;
}

/** Whether an upstream is labelled with all that is asked for. */
export function isInPlace(upstream: PlaceName, asked: PlaceName): boolean {
  return (
    isPart(upstream.country, asked.country) && isPart(upstream.state, asked.state) && isPart(upstream.city, asked.city)
  );
}

function isPart(label: string | undefined, asked: string | undefined): boolean {
  return asked === undefined || asked === label;
}

/**
 * Chooses the upstream of a new session: fewest sessions for its weight, then earliest free, then the one whose turn
 * it is.
 */
export function choosePin<T extends Candidate>(choice: Choice<T>): T | undefined {
  return best(choice, (candidate) => candidate.tally.sessions / candidate.weight);
}

/** Chooses the upstream of a request without a session: earliest free, then the one whose turn it is. */
export function chooseRotating<T extends Candidate>(choice: Choice<T>): T | undefined {
  return best(choice, () => 0);
}

/** Notes that an upstream was chosen. @returns the turn it had, which is the present one from now on */
export function takeTurn(chosen: Candidate, turn: number): number {
  const taken = Math.max(chosen.turn, turn);
  chosen.turn = taken + 1 / chosen.weight;
  return taken;
}

/** One pass without an object made: there may be ten thousand, and a choice is made for each request. */
function best<T extends Candidate>(
  { candidates, turn, waitMs, isOpen }: Choice<T>,
  loadOf: (candidate: T) => number,
): T | undefined {
  let winner: T | undefined;
  let leastLoad = Infinity;
  let leastWaitMs = Infinity;
  for (const candidate of candidates) {
    const load = loadOf(candidate);
    if (load > leastLoad) continue;
    const isLighter = load < leastLoad;
    const isSooner = winner === undefined || isBefore(candidate, winner, turn);
    // No wait is shorter than none, so most clocks need not be looked at.
    if (!isLighter && !isSooner && leastWaitMs === 0) continue;
    const wait = waitMs(candidate);
    if (!isLighter && (wait > leastWaitMs || (wait === leastWaitMs && !isSooner))) continue;
    if (!isOpen(candidate)) continue;
    winner = candidate;
    leastLoad = load;
    leastWaitMs = wait;
  }
  return winner;
}

function isBefore(one: Candidate, other: Candidate, turn: number): boolean {
  const ahead = Math.max(one.turn, turn) - Math.max(other.turn, turn);
  return ahead === 0 ? one.lastChosen < other.lastChosen : ahead < 0;
}
