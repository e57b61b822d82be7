// What the tests of stores have in common: settings, upstreams, and a request to change.

import type { RuleSettings } from '../../src/sessions/settings.js';
import type { Clock } from '../../src/stores/clock.js';
import type { AcquireRequest, SessionStore, UpstreamFacts } from '../../src/stores/session-store.js';

/** Makes an empty store. */
export type StoreFactory = (options: {
  readonly clock: Clock;
  readonly settings: RuleSettings;
  readonly newId: () => string;
  readonly newSeed?: () => string;
}) => Promise<SessionStore>;

export const MINUTE = 60_000;
export const DELAY_MS = 12_000;

export const UPSTREAMS = [
  { id: 'a', outgoingIp: '127.0.0.2' },
  { id: 'b', outgoingIp: '127.0.0.3' },
];

/** Upstreams that are listed and not usable, for seven seconds more. */
export const DOWN: UpstreamFacts = { isListed: () => true, retryAfterMs: () => 7000, firstRetryMs: () => 7000 };

export const SETTINGS: RuleSettings = {
  delays: {
    defaultMs: DELAY_MS,
    scope: 'ip',
    domains: new Map(),
    softLimitMs: 120_000,
    maxHoldMs: 900_000,
    hardLimitMs: 1_000_000,
    refusedRaise: true,
  },
  sessions: {
    ttlMs: 30 * MINUTE,
    max: 5,
    onBan: 'sticky',
    onUpstreamLoss: 'fail',
    chosen: { lifeMs: 15 * MINUTE, idleMs: 2 * MINUTE },
  },
  bans: { cooldownMs: 10 * MINUTE },
};

/** A request of the owner `me` to `example.com`, changed where a test says so. */
export function request(given: Partial<AcquireRequest> = {}): AcquireRequest {
  return {
    owner: 'me',
    session: { kind: 'create' },
    traits: {},
    target: { host: 'example.com', site: 'example.com' },
    tunnel: undefined,
    upstreams: UPSTREAMS,
    ...given,
  };
}
