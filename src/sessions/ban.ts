// When an answer means that its target has banned the outgoing IP. Reading the page is the caller's; which rules there
// are is configuration, for no list of the service's own was ever published.

import { findByDomain } from './domains.js';

/** What a ban looks like. */
export interface BanRule {
  readonly statuses: ReadonlySet<number>;
  /** Held against the beginning of a page, as text. */
  readonly bodyPatterns: readonly RegExp[];
}

/** The rule of all targets, and those of particular domains, which replace it. */
export interface BanRules {
  readonly rule: BanRule;
  readonly domains: ReadonlyMap<string, BanRule>;
}

/** The rule that holds for a host. */
export function banRuleOf(host: string, { rule, domains }: BanRules): BanRule {
  return findByDomain(host, domains) ?? rule;
}

/** Whether a page means a ban. @param page its beginning */
export function isBanPage(page: string, { bodyPatterns }: BanRule): boolean {
  return bodyPatterns.some((pattern) => pattern.test(page));
}
