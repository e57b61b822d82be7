// The session pool for crawlers of Crawlee 4: which session serves the next request, and that each has a gateway session
// of its own. Nothing of Crawlee 4 is imported, nor of Crawlee 3 but what both have.

import { randomUUID } from 'node:crypto';

import { SessionsClientError } from '../client/client-error.js';
import { SessionsClient } from '../client/sessions-client.js';
import { GatewaySessions } from '../crawlee/gateway-sessions.js';
import { partsOfProxyUrl, writeProxyUrl } from '../crawlee/proxy-url.js';
import { SessionBindings } from '../crawlee/session-bindings.js';
import type { CrawleeSessionPool, SessionProxyInfo } from './crawlee-4.js';
import { resolvePoolOptions } from './pool-options.js';
import type { ProxySessionPoolOptions, ResolvedPoolOptions } from './pool-options.js';
import { PooledSession } from './pooled-session.js';

/** Sessions of a pool whose gateway can't be asked how many outgoing IPs it has. */
const DEFAULT_POOL_SIZE = 20;

/**
 * A session pool for Crawlee 4 whose sessions each have a gateway session, and so an outgoing IP of their own: made when
 * the session is first handed out, ended when it is retired, expires or is used up, and at `close()`.
 *
 * Experimental: Crawlee 4 is not on npm yet, and its interfaces may still change. Sessions are not kept over a restart,
 * requests are held by the gateway, and its answers reach Crawlee as any other proxy's; the plugin for Crawlee 3 does
 * more. In browsers give each session a browser or a context of its own, as Crawlee 4 otherwise mixes them:
 * `launchContext: { useIncognitoPages: true }` or `{ browserPerProxy: true }`.
 *
 * @example
 * ```ts
 * const sessionPool = await ProxySessionPool.open({ proxyUrl: 'http://KEY:@127.0.0.1:8011' });
 * const crawler = new CheerioCrawler({ sessionPool, requestHandler });
 * await crawler.run(['https://example.com']);
 * await sessionPool.close();
 * ```
 */
export class ProxySessionPool implements CrawleeSessionPool {
  readonly #options: ResolvedPoolOptions;
  readonly #gateway: GatewaySessions;
  readonly #bindings: SessionBindings;
  readonly #maxPoolSize: number;
  /** Usable when last looked at; at most `maxPoolSize`, the one handed out longest ago first. */
  readonly #sessions = new Map<string, PooledSession>();

  /** Kept beyond a session's end: what is still sent in it is to be refused, not to leave by some other outgoing IP. */
  readonly #proxySessionIds = new WeakMap<PooledSession, string>();

  private constructor(options: ResolvedPoolOptions, gateway: GatewaySessions, maxPoolSize: number) {
    this.#options = options;
    this.#gateway = gateway;
    this.#maxPoolSize = maxPoolSize;
    this.#bindings = createBindings(gateway);
  }

  /**
   * Opens a pool; sessions are made when they are needed.
   *
   * @throws TypeError that says which option was wrong
   */
  static async open(options: ProxySessionPoolOptions): Promise<ProxySessionPool> {
    const resolved = resolvePoolOptions(options);
    const gateway = new GatewaySessions(new SessionsClient(writeProxyUrl(resolved.address)), resolved.country);
    const size = resolved.maxPoolSize ?? (await gateway.countOutgoingIps()) ?? DEFAULT_POOL_SIZE;
    return new ProxySessionPool(resolved, gateway, size);
  }

  /**
   * Gives the session for a request: a new one until the pool is full, then that which was handed out longest ago. With
   * an id it is the session of that id, or undefined if it is gone.
   *
   * @throws CriticalError for a wrong API key or no gateway at all, and after `close()`
   */
  async getSession(sessionId?: string): Promise<PooledSession | undefined> {
    this.#dropUsedUp();
    const session = sessionId === undefined ? this.#choose() : this.#sessions.get(sessionId);
    if (session === undefined) return undefined;
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    const { id } = await this.#bindings.bind(session.id);
    this.#proxySessionIds.set(session, id);
    return session;
  }

  /** Ends the gateway sessions of this pool, unless they are to be kept. It does not throw if the gateway is gone. */
  async close({ keepSessions = false }: { readonly keepSessions?: boolean } = {}): Promise<void> {
    this.#sessions.clear();
    await this.#bindings.close({ keepSessions });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #choose(): PooledSession {
    const [oldest] = this.#sessions.values();
    return oldest === undefined || this.#sessions.size < this.#maxPoolSize ? this.#create() : oldest;
  }

  #create(): PooledSession {
    const id = `session_${randomUUID()}`;
    const session: PooledSession = new PooledSession({
      id,
      limits: this.#options,
      readProxyInfo: () => this.#readProxyInfo(session),
      onRetired: () => this.#end(id),
      onBad: () => void this.#retireIfLost(session),
      nowMs: () => performance.now(),
    });
    this.#sessions.set(id, session);
    return session;
  }

  #end(id: string): void {
    this.#sessions.delete(id);
    this.#bindings.release(id);
  }

  /** Those whose time was up while nobody used them. */
  #dropUsedUp(): void {
    for (const session of this.#sessions.values()) if (!session.isUsable()) session.retire();
  }

  /** Crawlee 4 can't be told why a request failed, so the gateway is asked whether it still knows the session. */
  async #retireIfLost(session: PooledSession): Promise<void> {
    const bound = this.#bindings.find(session.id);
    if (bound === undefined) return;
    // A gateway that does not answer says nothing about the session.
    const isLost = await this.#gateway.look(bound.id).then(
      (seen) => seen === undefined,
      () => false,
    );
    if (!isLost) return;
    this.#bindings.forget(session.id);
    session.retire();
  }

  #readProxyInfo(session: PooledSession): SessionProxyInfo {
    const { address, ignoreTlsErrors } = this.#options;
    const url = writeProxyUrl(address, this.#proxySessionIds.get(session));
    return { ...partsOfProxyUrl(url), ignoreTlsErrors };
  }
}

function createBindings(gateway: GatewaySessions): SessionBindings {
  return new SessionBindings({
    create: () => gateway.create(),
    isThere: async (id) => (await gateway.look(id)) !== undefined,
    recreatesLost: () => false,
    delete: (id) => gateway.delete(id),
    isFull: (error) => error instanceof SessionsClientError && error.code === 'user_session_limit',
    // It ends by itself after the gateway's `sessions.ttl`.
    onDeleteFailed: () => undefined,
  });
}
