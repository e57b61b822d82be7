// Which upstream a session is pinned to, and which one serves a request without a session. The usable upstreams
// are handed in as values: whether one is healthy is decided elsewhere.

/** A usable way out, with what the choice depends on. */
export interface Candidate {
  /** Names the upstream. */
  readonly id: string;
  /** The address targets see. */
  readonly outgoingIp: string;
  /** Sessions pinned to that outgoing IP. */
  readonly sessions: number;
  /** When its clock is free, epoch milliseconds. */
  readonly freeAtMs: number;
  /** Rises with every choice; the upstream chosen longest ago has the lowest. */
  readonly lastChosen: number;
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

/** Chooses the upstream of a new session: fewest sessions on its outgoing IP, then earliest free, then longest unused. */
export function choosePin(candidates: readonly Candidate[], nowMs: number): Candidate | undefined {
  return best(candidates, (a, b) => a.sessions - b.sessions || waitOf(a, nowMs) - waitOf(b, nowMs));
}

/** Chooses the upstream of a request without a session: earliest free, then longest unused. */
export function chooseRotating(candidates: readonly Candidate[], nowMs: number): Candidate | undefined {
  return best(candidates, (a, b) => waitOf(a, nowMs) - waitOf(b, nowMs));
}

function waitOf(candidate: Candidate, nowMs: number): number {
  return Math.max(0, candidate.freeAtMs - nowMs);
}

function best(
  candidates: readonly Candidate[],
  compare: (a: Candidate, b: Candidate) => number,
): Candidate | undefined {
  let winner: Candidate | undefined;
  for (const candidate of candidates) {
    if (winner === undefined || (compare(candidate, winner) || candidate.lastChosen - winner.lastChosen) < 0) {
      winner = candidate;
    }
  }
  return winner;
}
