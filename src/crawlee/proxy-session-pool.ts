// Crawlee's session pool with sessions that are bound to gateway sessions, and the way into a crawler that takes no
// pool of its own. This is the one file that touches what Crawlee 3 declares protected: `maxPoolSize`,
// `sessionOptions` and `_removeRetiredSessions` of SessionPool. Checked on Crawlee 3.13.0 and 3.18.1; the test of this
// file names the versions, and fails on one that it does not know.

import { SessionPool } from '@crawlee/core';
import type { Configuration, CreateSession, Session, SessionOptions, SessionPoolOptions } from '@crawlee/core';

import { coreOf } from './core.js';
import type { Core } from './core.js';
import { ProxySession, watchRetirement } from './proxy-session.js';
import type { SessionProxyConfiguration } from './session-proxy-configuration.js';

/** Sessions of a pool whose gateway can't be asked how many outgoing IPs it has. */
const DEFAULT_POOL_SIZE = 20;

/**
 * Options of `ProxySessionPool.open()`: Crawlee's own, and where the gateway sessions come from.
 *
 * @example
 * ```ts
 * const options: ProxySessionPoolOptions = { proxyConfiguration, sessionOptions: { maxUsageCount: 200 } };
 * ```
 */
export interface ProxySessionPoolOptions extends SessionPoolOptions {
  readonly proxyConfiguration: SessionProxyConfiguration;
}

/** Which gateway a pool belongs to. Beside the pool, because an adopted one was built by Crawlee's own constructor. */
const CORES = new WeakMap<SessionPool, Core>();

/**
 * A session pool whose Crawlee sessions each have a gateway session, and so an outgoing IP of their own: made at first
 * use, ended when the Crawlee session is retired. It holds as many sessions as the gateway has outgoing IPs, unless
 * `maxPoolSize` says otherwise. `httpCrawlerOptions()` puts it into a crawler; opened alone it serves code without one.
 *
 * @example
 * ```ts
 * const pool = await ProxySessionPool.open({ proxyConfiguration });
 * const session = await pool.getSession();
 * const proxyUrl = await proxyConfiguration.newUrl(session.id);
 * ```
 */
export class ProxySessionPool extends SessionPool {
  /**
   * Opens a pool.
   *
   * @throws TypeError without a SessionProxyConfiguration, else what `SessionPool.open()` throws
   */
  static override async open(options: ProxySessionPoolOptions, config?: Configuration): Promise<ProxySessionPool> {
    const { proxyConfiguration, ...poolOptions } = options;
    const createSessionFunction = createAdoptingFunction(coreOf(proxyConfiguration), poolOptions);
    const pool = new ProxySessionPool({ ...poolOptions, createSessionFunction }, config);
    await pool.initialize();
    return pool;
  }

  /** Sessions that are dropped because their time was up were never retired, so this is where theirs ends. */
  protected override _removeRetiredSessions(): void {
    const core = CORES.get(this);
    for (const session of this.sessions) {
      if (!session.isUsable()) core?.bindings.release(session.id);
    }
    // The name is Crawlee's.
    // oxlint-disable-next-line no-underscore-dangle
    super._removeRetiredSessions();
  }
}

/**
 * Makes the function that Crawlee calls for each new session, the first call of which adopts the pool. What the user
 * gave in its place makes the sessions as before; they are watched instead.
 *
 * Nothing of ours may throw in it: Crawlee would end the run.
 */
export function createAdoptingFunction(
  core: Core,
  { maxPoolSize, createSessionFunction }: Pick<SessionPoolOptions, 'maxPoolSize' | 'createSessionFunction'>,
): CreateSession {
  return async (pool, options) => {
    await adopt(pool, core, maxPoolSize);
    const session: Session =
      createSessionFunction === undefined
        ? createSession(pool, core, options?.sessionOptions)
        : await createSessionFunction(pool, options);
    if (!(session instanceof ProxySession)) watchRetirement(session, (id) => core.bindings.release(id));
    core.adopted.add(session.id);
    return session;
  };
}

/** Makes a pool that Crawlee built into one of ours; once per pool, before it has any session. */
async function adopt(pool: SessionPool, core: Core, maxPoolSize: number | undefined): Promise<void> {
  if (CORES.has(pool)) return;
  CORES.set(pool, core);
  // Crawlee 3 takes no pool from outside: https://github.com/apify/crawlee/issues/3445
  if (!(pool instanceof ProxySessionPool)) Object.setPrototypeOf(pool, ProxySessionPool.prototype);
  if (maxPoolSize !== undefined) return;
  // Crawlee asks for one session after the other, so that none is made before the size is known.
  pool['maxPoolSize'] = (await core.gateway.countOutgoingIps()) ?? DEFAULT_POOL_SIZE;
}

/** Makes a session with the pool's own options, as Crawlee's default function does. */
function createSession(pool: SessionPool, core: Core, sessionOptions: SessionOptions | undefined): ProxySession {
  const options = { ...pool['sessionOptions'], ...sessionOptions, sessionPool: pool };
  return new ProxySession(options, (sessionId) => core.bindings.release(sessionId));
}
