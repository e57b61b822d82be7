// Which gateway session each Crawlee session is bound to: made once however many requests ask at a time, ended when
// the Crawlee session is. How sessions are made and ended comes in; Crawlee's classes are not known here.

import { configurationClosed, sessionEnded, sessionLost } from './errors.js';
import type { ProxySessionInfo } from './gateway-sessions.js';
import { SessionEnds } from './session-ends.js';
import type { EndedBinding, SessionEndsOptions } from './session-ends.js';

/**
 * Crawlee sessions bound at a time; past it the one unused for longest loses its gateway session. As many as a gateway
 * allows an API key by default, and five times Crawlee's own default pool. With the option `proxyConfiguration` alone
 * nobody tells us that a Crawlee session was retired, so those that were leave this way.
 */
const MAX_BINDINGS = 5_000;

interface Binding extends EndedBinding {
  creation: Promise<ProxySessionInfo> | undefined;
  info: ProxySessionInfo | undefined;
  /** Requests that were sent and not answered yet. */
  inFlight: number;
  hasEnded: boolean;
  farewell: ((id: string) => Promise<void>) | undefined;
}

/** How bindings are made and undone. */
export interface SessionBindingsOptions extends SessionEndsOptions {
  readonly create: (crawleeId: string, host?: string) => Promise<ProxySessionInfo>;
  /** Whether the gateway knows a session that an earlier run left. */
  readonly isThere: (id: string) => Promise<boolean>;
  /** Whether a Crawlee session goes on with a new gateway session where its own was lost. */
  readonly recreatesLost: (crawleeId: string) => boolean;
  /** Whether `create` failed because the API key has as many sessions as allowed. */
  readonly isFull: (error: unknown) => boolean;
}

/** The bindings of one configuration. Crawlee's own session ids stay in here and are never sent. */
export class SessionBindings {
  readonly #options: SessionBindingsOptions;
  /** At most `MAX_BINDINGS`, least recently used first. */
  readonly #bindings = new Map<string, Binding>();
  readonly #ends: SessionEnds;
  #isClosed = false;

  constructor(options: SessionBindingsOptions) {
    this.#options = options;
    this.#ends = new SessionEnds(options);
  }

  /**
   * Gives the gateway session of a Crawlee session, and makes it at the first call; calls in between share that one.
   * If it can't be made, the next call tries again.
   *
   * @throws ProxySessionError if the Crawlee session has ended, CriticalError after `close()`, else what `create` threw
   */
  async bind(crawleeId: string, create = () => this.#options.create(crawleeId)): Promise<ProxySessionInfo> {
    if (this.#isClosed) throw configurationClosed();
    if (this.#ends.has(crawleeId)) throw sessionEnded(crawleeId);
    const binding = this.#take(crawleeId);
    if (binding.info !== undefined) return binding.info;
    binding.creation ??= this.#open(crawleeId, binding, create);
    return binding.creation;
  }

  /** As `bind`, for a first request to that host: an outgoing IP that is banned there is not chosen. */
  async bindFor(crawleeId: string, host: string | undefined): Promise<ProxySessionInfo> {
    return this.bind(crawleeId, () => this.#options.create(crawleeId, host));
  }

  /** Leaves a Crawlee session the gateway session it had in an earlier run; its first `bind` sees whether it is there. */
  keep(crawleeId: string, kept: ProxySessionInfo): void {
    if (this.#isClosed || this.#ends.has(crawleeId) || this.#bindings.has(crawleeId)) return;
    this.#makeRoom();
    this.#bindings.set(crawleeId, createBinding(kept));
  }

  /** What is to be kept of a Crawlee session for a later run; undefined where it has no gateway session. */
  keepable(crawleeId: string): ProxySessionInfo | undefined {
    const binding = this.#bindings.get(crawleeId);
    return binding === undefined || binding.hasEnded ? undefined : (binding.info ?? binding.kept);
  }

  /** Whether a Crawlee session is bound, or about to be. */
  keeps(crawleeId: string): boolean {
    return this.#bindings.get(crawleeId)?.hasEnded === false;
  }

  /** The gateway has lost a session: as the options say, another is made at the next `bind`, or none ever. */
  lose(crawleeId: string, lostId = this.#bindings.get(crawleeId)?.info?.id): void {
    if (!this.#options.recreatesLost(crawleeId)) this.forget(crawleeId);
    else if (lostId !== undefined) this.replace(crawleeId, lostId);
  }

  /** The gateway has lost a session whose Crawlee session is to go on: the next `bind` makes another, once. */
  replace(crawleeId: string, lostId: string): void {
    const binding = this.#bindings.get(crawleeId);
    if (binding === undefined || binding.hasEnded || binding.info?.id !== lostId) return;
    this.#bindings.set(crawleeId, { ...createBinding(undefined), inFlight: binding.inFlight });
  }

  /** What is known of a Crawlee session's gateway session; undefined before its first use and after its end. */
  find(crawleeId: string): ProxySessionInfo | undefined {
    const binding = this.#bindings.get(crawleeId);
    return binding === undefined || binding.hasEnded ? undefined : binding.info;
  }

  /** Which Crawlee session a gateway session belongs to; undefined where none does. Looks through them all. */
  findOwner(proxySessionId: string): string | undefined {
    for (const [crawleeId, { info }] of this.#bindings) if (info?.id === proxySessionId) return crawleeId;
    return undefined;
  }

  /** Takes down what an answer told of a session. */
  learn(crawleeId: string, news: Partial<ProxySessionInfo>): void {
    const binding = this.#bindings.get(crawleeId);
    if (binding?.info !== undefined) binding.info = { ...binding.info, ...news };
  }

  /** A request is sent; until `leave` its gateway session is kept, even if its Crawlee session ends meanwhile. */
  enter(crawleeId: string): void {
    const binding = this.#bindings.get(crawleeId);
    if (binding !== undefined) binding.inFlight += 1;
  }

  /** The request of an `enter` was answered, or failed. */
  leave(crawleeId: string): void {
    const binding = this.#bindings.get(crawleeId);
    if (binding === undefined) return;
    binding.inFlight -= 1;
    if (binding.hasEnded && binding.inFlight <= 0) this.#end(crawleeId, binding);
  }

  /**
   * The Crawlee session was retired: ends its gateway session, as soon as no request is under way in it.
   *
   * @param farewell tells the gateway something about the session first, once no request is under way that it might be
   *   refused for; never rejects
   */
  release(crawleeId: string, farewell?: (id: string) => Promise<void>): void {
    const binding = this.#bindings.get(crawleeId);
    if (binding === undefined) {
      this.#ends.remember(crawleeId);
      return;
    }
    if (!binding.hasEnded) binding.farewell = farewell;
    binding.hasEnded = true;
    if (binding.inFlight <= 0) this.#end(crawleeId, binding);
  }

  /** The gateway has lost the session: there is nothing to end there, and nothing more to send in it. */
  forget(crawleeId: string): void {
    this.#bindings.delete(crawleeId);
    this.#ends.remember(crawleeId);
  }

  /** Waits for the ends that are under way. Never rejects. */
  async settled(): Promise<void> {
    await this.#ends.settled();
  }

  /** Ends all sessions unless they are to be kept; `bind` throws from now on. Never throws itself. */
  async close({ keepSessions }: { readonly keepSessions: boolean }): Promise<void> {
    this.#isClosed = true;
    const bindings = [...this.#bindings.values()];
    this.#bindings.clear();
    await this.#ends.forAll(bindings, (binding) => this.#settle(binding, keepSessions));
    await this.#ends.settled();
  }

  async #settle(binding: Binding, keepSession: boolean): Promise<void> {
    const deletion = keepSession ? Promise.resolve() : this.#ends.delete(binding);
    // With transport 'headers' a first request may be held for minutes; its session is ended once it has come.
    if (binding.info === undefined && binding.inFlight > 0) return;
    await deletion;
  }

  #end(crawleeId: string, binding: Binding): void {
    this.forget(crawleeId);
    this.#ends.begin(binding);
  }

  #take(crawleeId: string): Binding {
    const known = this.#bindings.get(crawleeId);
    if (known === undefined) this.#makeRoom();
    const binding = known ?? createBinding(undefined);
    // To the end: the first is the one unused for longest.
    this.#bindings.delete(crawleeId);
    this.#bindings.set(crawleeId, binding);
    return binding;
  }

  async #open(crawleeId: string, binding: Binding, create: () => Promise<ProxySessionInfo>): Promise<ProxySessionInfo> {
    try {
      binding.info = await (binding.kept === undefined ? this.#create(create) : this.#resume(crawleeId, binding.kept));
      return binding.info;
    } catch (error) {
      binding.creation = undefined;
      const isIdle = binding.kept === undefined && binding.inFlight <= 0;
      if (isIdle && this.#bindings.get(crawleeId) === binding) this.#bindings.delete(crawleeId);
      throw error;
    }
  }

  /** Goes on with the session of an earlier run, if the gateway knows it still. */
  async #resume(crawleeId: string, kept: ProxySessionInfo): Promise<ProxySessionInfo> {
    if (await this.#options.isThere(kept.id)) return kept;
    if (this.#options.recreatesLost(crawleeId)) return this.#create(() => this.#options.create(crawleeId));
    this.forget(crawleeId);
    throw sessionLost(kept.id);
  }

  /** Where the API key has no room, the session of ours that was unused for longest makes some. */
  async #create(create: () => Promise<ProxySessionInfo>): Promise<ProxySessionInfo> {
    try {
      return await create();
    } catch (error) {
      if (!this.#options.isFull(error) || !this.#endOldest()) throw error;
      await this.#ends.settled();
      return create();
    }
  }

  #makeRoom(): void {
    if (this.#bindings.size >= MAX_BINDINGS) this.#endOldest();
  }

  /** @returns false where every session is in use, or none is made yet */
  #endOldest(): boolean {
    for (const [crawleeId, binding] of this.#bindings) {
      if (binding.inFlight > 0 || (binding.info === undefined && binding.creation !== undefined)) continue;
      this.#end(crawleeId, binding);
      return true;
    }
    return false;
  }
}

function createBinding(kept: ProxySessionInfo | undefined): Binding {
  return { kept, creation: undefined, info: undefined, inFlight: 0, hasEnded: false, farewell: undefined };
}
