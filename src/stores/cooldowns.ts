// Which outgoing IPs are kept from which site, per API key, after a ban.

import { ExpiringKeys } from './expiring-keys.js';

/** Cool-downs kept; past that the oldest is forgotten, which lets a banned IP back early. */
export const MAX_COOLDOWNS = 100_000;

/** The cool-downs of a memory store. */
export class Cooldowns {
  readonly #keys: ExpiringKeys;

  constructor(cooldownMs: number) {
    this.#keys = new ExpiringKeys({ lastsMs: cooldownMs, max: MAX_COOLDOWNS });
  }

  /** Keeps an outgoing IP from a site from now on. */
  start(owner: string, outgoingIp: string, site: string, nowMs: number): void {
    this.#keys.start(keyOf(owner, outgoingIp, site), nowMs);
  }

  /** How long an outgoing IP is still kept from a site, in milliseconds; 0 where it is not. */
  leftMs(owner: string, outgoingIp: string, site: string, nowMs: number): number {
    // Asked for each upstream of each request, and most of the time there are none.
    if (this.#keys.size === 0) return 0;
    return this.#keys.leftMs(keyOf(owner, outgoingIp, site), nowMs);
  }
}

function keyOf(owner: string, outgoingIp: string, site: string): string {
  return `${owner} ${outgoingIp} ${site}`;
}
