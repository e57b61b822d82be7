// Which outgoing IPs are kept from which site, per API key, after a ban. All last equally long, so the order in which
// they were noted is the order in which they end.

/** Cool-downs kept; past that the oldest is forgotten, which lets a banned IP back early. */
export const MAX_COOLDOWNS = 100_000;

/** The cool-downs of a memory store. */
export class Cooldowns {
  readonly #endsAtMs = new Map<string, number>();
  readonly #cooldownMs: number;

  constructor(cooldownMs: number) {
    this.#cooldownMs = cooldownMs;
  }

  /** Keeps an outgoing IP from a site from now on. */
  start(owner: string, outgoingIp: string, site: string, nowMs: number): void {
    const key = keyOf(owner, outgoingIp, site);
    this.#endsAtMs.delete(key);
    this.#endsAtMs.set(key, nowMs + this.#cooldownMs);
    for (const [oldest, endsAtMs] of this.#endsAtMs) {
      if (endsAtMs > nowMs && this.#endsAtMs.size <= MAX_COOLDOWNS) break;
      this.#endsAtMs.delete(oldest);
    }
  }

  /** How long an outgoing IP is still kept from a site, in milliseconds; 0 where it is not. */
  leftMs(owner: string, outgoingIp: string, site: string, nowMs: number): number {
    return Math.max(0, (this.#endsAtMs.get(keyOf(owner, outgoingIp, site)) ?? 0) - nowMs);
  }
}

function keyOf(owner: string, outgoingIp: string, site: string): string {
  return `${owner} ${outgoingIp} ${site}`;
}
