// What Crawlee decides about a session at a site, told to the gateway: a block keeps the session's outgoing IP from that
// domain for a while, a page that was good is said once. What is no judgement of a site's is not told: a session that is
// worn out, one that the gateway lost, a page that never came.

import type { Session } from '@crawlee/core';

import type { VerdictBody } from '../protocol/rest.js';
import type { SessionBindings } from './session-bindings.js';
import { currentRequest } from './task-context.js';

/** Why a Crawlee session was retired: a blocked status, the user's or Crawlee's wish, or its age, uses and errors. */
export type RetirementCause = 'blocked' | 'asked' | 'worn';

/** Hosts of one session that good pages are told of; past it none is. */
const MAX_HOSTS = 100;

/** What verdicts depend on. */
export interface VerdictsOptions {
  readonly bindings: Pick<SessionBindings, 'find' | 'release'>;
  /** Tells the gateway. Rejections are told to `onFailed` and nobody else. */
  readonly report: (proxySessionId: string, verdict: VerdictBody) => Promise<unknown>;
  readonly onFailed: (proxySessionId: string, error: unknown) => void;
}

/** The verdicts of one configuration. */
export class Verdicts {
  readonly #options: VerdictsOptions;
  /** Host of the last answer: of each request, and of each session for requests that are not known. */
  readonly #answered = new WeakMap<object, string>();
  readonly #good = new WeakMap<Session, Set<string>>();
  readonly #withheld = new WeakSet<Session>();
  readonly #pending = new Set<Promise<void>>();

  constructor(options: VerdictsOptions) {
    this.#options = options;
  }

  /** A page is about to be asked for: what became of an earlier try of its request says nothing any more. */
  noteStart(): void {
    const request = currentRequest();
    if (request !== undefined) this.#answered.delete(request);
  }

  /** An answer came that is the target's own. @param url where it came from in the end */
  noteAnswer(session: Session | undefined, url: string): void {
    if (session === undefined || !URL.canParse(url)) return;
    const { hostname } = new URL(url);
    this.#answered.set(session, hostname);
    const request = currentRequest();
    if (request !== undefined) this.#answered.set(request, hostname);
  }

  /** The session is about to be retired for a reason that is no site's judgement. */
  withhold(session: Session): void {
    this.#withheld.add(session);
  }

  /** The gateway itself knows that the session's outgoing IP is banned: there is nothing to tell it, and no use of it. */
  endBanned(session: Session | undefined): void {
    if (session === undefined) return;
    this.withhold(session);
    session.retire();
  }

  /** Crawlee was content with a page: told once per session and host. */
  good(session: Session): void {
    const host = this.#hostOf(session);
    const bound = this.#options.bindings.find(session.id);
    const told = this.#good.get(session) ?? new Set<string>();
    if (host === undefined || bound === undefined || told.has(host) || told.size >= MAX_HOSTS) return;
    this.#good.set(session, told.add(host));
    void this.#report(bound.id, { host, verdict: 'good' });
  }

  /** Ends the gateway session of a retired Crawlee session, and says first what it was retired for. */
  retired(session: Session, cause: RetirementCause): void {
    const host = this.#bannedAt(session, cause);
    if (host === undefined) this.#options.bindings.release(session.id);
    else this.#options.bindings.release(session.id, (id) => this.#report(id, { host, verdict: 'banned' }));
  }

  /** Waits for what is being told. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #bannedAt(session: Session, cause: RetirementCause): string | undefined {
    if (cause === 'worn' || this.#withheld.has(session)) return undefined;
    const answered = this.#hostOf(session);
    const url = currentRequest()?.url;
    // A blocked status is an answer, even where nobody noted it.
    return answered ?? (cause === 'blocked' && url !== undefined ? new URL(url).hostname : undefined);
  }

  /** Where the answer came from that is being judged; undefined if none came. */
  #hostOf(session: Session): string | undefined {
    return this.#answered.get(currentRequest() ?? session);
  }

  async #report(id: string, verdict: VerdictBody): Promise<void> {
    const told = this.#options.report(id, verdict).then(
      () => undefined,
      (error: unknown) => this.#options.onFailed(id, error),
    );
    this.#pending.add(told);
    await told;
    this.#pending.delete(told);
  }
}
