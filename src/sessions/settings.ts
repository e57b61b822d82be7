// The numbers the rules work with, resolved: nothing optional, times in milliseconds. Where they come from
// (file, environment, flags) is not known here.

import type { OnUpstreamLoss } from './loss.js';

/** How far apart the uses of one outgoing IP are kept, and what happens to those that come too fast. */
export interface DelaySettings {
  /** Gap kept between the starts of two uses, in milliseconds; 0 keeps none. */
  readonly defaultMs: number;
  /** Whether one clock covers an outgoing IP as a whole, or each pair of outgoing IP and domain has its own. */
  readonly scope: 'ip' | 'ip+domain';
  /** Gaps of particular domains in milliseconds; each covers its sub-domains, the longest name wins. */
  readonly domains: ReadonlyMap<string, number>;
  /** From this calculated delay on, answers tell it (`X-Crawlera-Next-Request-In`), until the clock has drained. */
  readonly softLimitMs: number;
  /** The longest a use is held; a longer calculated delay is refused. */
  readonly maxHoldMs: number;
  /** The calculated delay stops growing here, however many requests are refused. */
  readonly hardLimitMs: number;
  /** Whether a refused request raises the calculated delay too. */
  readonly refusedRaise: boolean;
}

/** How long sessions live and how many an API key may have. */
export interface SessionSettings {
  /** A session ends this long after its last use, in milliseconds, unless a use is held or running. */
  readonly ttlMs: number;
  /** Sessions an API key may have at a time. */
  readonly max: number;
  /** Whether a banned session stays, and says so at every use, or ends. */
  readonly onBan: 'sticky' | 'drop';
  /** What is done with a session that loses its upstream, where it was not created with a rule of its own. */
  readonly onUpstreamLoss: OnUpstreamLoss;
  /** The life of sessions whose IDs their clients choose, in milliseconds from their creation and their last use. */
  readonly chosen: { readonly lifeMs: number; readonly idleMs: number };
}

/** How often a request is sent. */
export interface RetrySettings {
  /** Attempts after the first, outside sessions. */
  readonly defaultRetries: number;
  /** Whether the number a client gives counts the attempts after the first, or all of them. */
  readonly headerMeans: 'retries' | 'attempts';
}

/** What follows a ban. */
export interface BanSettings {
  /** How long an outgoing IP is kept from a domain that banned it, in milliseconds. */
  readonly cooldownMs: number;
}

/** All settings of the rules. */
export interface RuleSettings {
  readonly delays: DelaySettings;
  readonly sessions: SessionSettings;
  readonly bans: BanSettings;
}
