// What every part of a running gateway is handed: no part reaches for anything ambient.

import type { Clock } from '../stores/clock.js';
import type { SessionPage, SessionStore, SessionView } from '../stores/session-store.js';
import type { TargetPolicy } from '../upstreams/target-policy.js';
import type { AuthenticateKey } from './api-keys.js';
import type { CertificateAuthority } from './certificates/certificate-authority.js';
import type { CookieJars } from './cookies/cookie-jars.js';
import type { EventSink } from './events.js';
import type { Fleet } from './fleet.js';
import type { LastRefusals } from './last-refusals.js';
import type { ResolvedOptions } from './options.js';
import type { ParallelLimit } from './parallel-limit.js';
import type { Profiles } from './profiles/profiles.js';
import type { UpstreamTallies } from './upstream-tallies.js';
import type { WaitingRoom } from './waiting-room.js';
import type { Watching } from './watching.js';

/** Sessions read from the store at a time, where all are asked for. */
const SESSIONS_PER_PAGE = 1000;

/** The parts of one gateway. */
export interface GatewayContext {
  readonly options: ResolvedOptions;
  readonly clock: Clock;
  readonly store: SessionStore;
  readonly room: WaitingRoom;
  readonly fleet: Fleet;
  readonly tallies: UpstreamTallies;
  /** Sees how the fleet is, and which outgoing IPs it has. */
  readonly watching: Watching;
  readonly policy: TargetPolicy;
  readonly authenticate: AuthenticateKey;
  readonly emit: EventSink;
  readonly refusals: LastRefusals;
  readonly parallel: ParallelLimit;
  readonly profiles: Profiles;
  /** Loaded when a request first asks for a jar. */
  readonly cookieJars: () => Promise<CookieJars>;
  /** Made, or read, when a certificate is first needed. @throws ConfigurationError for files that are none */
  readonly authority: () => Promise<CertificateAuthority>;
  /** Whether `host:port` is where this gateway listens, by address or by one of its names. */
  readonly isOwnAuthority: (host: string, port: number) => boolean;
  /** Uses that are not settled yet. Bounded by the requests in flight. */
  readonly open: Set<Promise<unknown>>;
  /** Aborted, with what to answer, when the gateway starts to close. */
  readonly closing: AbortSignal;
}

/** Yields all sessions of an API key, oldest first, a page of the store at a time. */
export async function* sessionsOf({ store }: GatewayContext, owner: string): AsyncGenerator<SessionView> {
  let after: string | undefined;
  do {
    const page: SessionPage = await store.list({ owner, after, limit: SESSIONS_PER_PAGE });
    yield* page.sessions;
    after = page.after;
  } while (after !== undefined);
}

/** Keeps a use among the open ones until it is settled. */
export async function whileOpen<T>({ open }: GatewayContext, use: Promise<T>): Promise<T> {
  open.add(use);
  const outcome = await use;
  open.delete(use);
  return outcome;
}
