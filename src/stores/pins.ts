// Where the sessions of a memory store leave from, and how many leave by each outgoing IP. Sessions that leave from the
// same place share one pin, so that an outgoing IP that is learned is known to all of them at once.

import type { SessionPin } from '../sessions/session.js';
import type { UpstreamChoice } from './session-store.js';

/** The sessions on one outgoing IP; of an upstream with many outgoing IPs, all that it has. */
export interface Tally {
  sessions: number;
}

/** A pin, and how many sessions have it. */
export interface KeptPin extends SessionPin {
  outgoingIp: string;
  sessions: number;
  /** Whether it is one exit of many, whose sessions count for the upstream and not for the address. */
  readonly exit: string | undefined;
}

/** What a session is pinned to. */
export type Leaving = Pick<SessionPin, 'upstreamId' | 'exit' | 'outgoingIp' | 'word'>;

/** The pins of a memory store; bounded by its sessions. Tallies are bounded by the upstreams besides. */
export class Pins {
  readonly #pins = new Map<string, KeptPin>();
  readonly #tallies = new Map<string, Tally>();

  /** The tally of an upstream; one and the same object for as long as `prune` leaves it. */
  tallyOf({ id, outgoingIp, draw }: Pick<UpstreamChoice, 'id' | 'outgoingIp' | 'draw'>): Tally {
    return this.#tally(draw === undefined ? ipTally(outgoingIp) : lineTally(id));
  }

  find(upstreamId: string, exit: string | undefined): KeptPin | undefined {
    return this.#pins.get(nameOf(upstreamId, exit));
  }

  /** Counts a session in. @returns its pin, shared with all that leave from there */
  take(leaving: Leaving): KeptPin {
    const { upstreamId, exit, outgoingIp } = leaving;
    const name = nameOf(upstreamId, exit);
    const known = this.#pins.get(name);
    const pin = known?.outgoingIp === outgoingIp ? known : { ...leaving, sessions: 0 };
    if (pin !== known) this.#pins.set(name, pin);
    this.#count(pin, 1);
    return pin;
  }

  /** Counts a session out. */
  drop(pin: KeptPin): void {
    this.#count(pin, -1);
    const name = nameOf(pin.upstreamId, pin.exit);
    if (pin.sessions === 0 && this.#pins.get(name) === pin) this.#pins.delete(name);
  }

  /** Gives a pin, and with it all its sessions, another outgoing IP. */
  rename(pin: KeptPin, outgoingIp: string): void {
    const { sessions } = pin;
    this.#count(pin, -sessions);
    pin.outgoingIp = outgoingIp;
    this.#count(pin, sessions);
  }

  /** How many tallies there are. */
  get size(): number {
    return this.#tallies.size;
  }

  /** Forgets tallies without sessions; those who hold one must ask for it anew. */
  prune(): void {
    for (const [name, { sessions }] of this.#tallies) if (sessions === 0) this.#tallies.delete(name);
  }

  #count(pin: KeptPin, by: number): void {
    pin.sessions += by;
    const tally = this.#tally(pin.exit === undefined ? ipTally(pin.outgoingIp) : lineTally(pin.upstreamId));
    tally.sessions += by;
  }

  #tally(name: string): Tally {
    const known = this.#tallies.get(name);
    if (known !== undefined) return known;
    const tally = { sessions: 0 };
    this.#tallies.set(name, tally);
    return tally;
  }
}

function nameOf(upstreamId: string, exit: string | undefined): string {
  return exit === undefined ? upstreamId : `${upstreamId} ${exit}`;
}

function ipTally(outgoingIp: string): string {
  return outgoingIp;
}

/** No outgoing IP has a space in it. */
function lineTally(upstreamId: string): string {
  return `line ${upstreamId}`;
}
