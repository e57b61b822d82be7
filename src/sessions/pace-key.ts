// Which clock a use belongs to, and which gap its target asks for. Knows nothing of what is on the clock.

import { findByDomain } from './domains.js';
import type { DelaySettings } from './settings.js';

/** Where a use goes, as the rules see it. */
export interface TargetName {
  /** Host name or address, lower case, without port, brackets or a trailing dot. */
  readonly host: string;
  /** The registrable domain of `host`, or `host` itself where it has none (addresses, bare names). */
  readonly site: string;
}

/** Names the clock of a use: the outgoing IP, with the site behind it where the scope says so. */
export function paceKeyOf(outgoingIp: string, site: string, scope: DelaySettings['scope']): string {
  return scope === 'ip' ? outgoingIp : `${outgoingIp} ${site}`;
}

/**
 * Finds the gap a target asks for, in milliseconds: that of the longest configured domain which is the host or
 * holds it, else the default.
 */
export function delayOf(host: string, settings: Pick<DelaySettings, 'defaultMs' | 'domains'>): number {
  return findByDomain(host, settings.domains) ?? settings.defaultMs;
}
