// Crawlee's session pool with sessions that are bound to gateway sessions, and the way into a crawler that takes no
// pool of its own. This is the one file that touches what Crawlee 3 declares protected: `maxPoolSize`, `sessions`,
// `sessionOptions`, `keyValueStore`, `persistStateKey`, `persistenceOptions` and `_removeRetiredSessions` of SessionPool,
// and private: `isTaskReadyFunction` and `runTaskFunction` of AutoscaledPool. Checked on Crawlee 3.13.0 and 3.18.1;
// `checked-versions.test.ts` names the versions too, and fails on one that is newer.

import { SessionPool } from '@crawlee/core';
import type { Configuration, CreateSession, Session, SessionOptions, SessionPoolOptions } from '@crawlee/core';

import { coreOf } from './core.js';
import type { Core } from './core.js';
import { takeKept } from './kept-sessions.js';
import type { PluginPacing } from './options.js';
import { ProxySession, watchSession } from './proxy-session.js';
import type { SessionWatch } from './proxy-session.js';
import { ReadyFirst } from './ready-first.js';
import type { PoolAccess } from './ready-first.js';
import type { SessionProxyConfiguration } from './session-proxy-configuration.js';
import { claimState, hasEnded, releaseState } from './shared-state.js';
import { pinnedSessionId, runTask } from './task-context.js';

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

/** How sessions are chosen, where the plugin keeps the distance between uses. */
const PICKERS = new WeakMap<SessionPool, ReadyFirst>();

/** Task pools that are gated already. */
const GATED = new WeakSet<TaskPool>();

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

  /**
   * Gives the session that may go next: one whose slot has started, else a new one while more sessions make more
   * requests possible, else the first that may go, waited for. With an id, that session if it is usable.
   */
  override async getSession(sessionId?: string): Promise<Session> {
    const picker = PICKERS.get(this);
    if (picker !== undefined && sessionId === undefined) return picker.pick();
    // Without an id the one that the request names; where that is gone any, for only the request itself can be refused.
    const named = sessionId ?? pinnedSessionId();
    const found: Session | undefined = named === undefined ? undefined : await super.getSession(named);
    // Crawlee's declaration leaves out that an id may be missing, and that there may be no session of it.
    return found ?? super.getSession(sessionId as string);
  }

  override async teardown(...given: Parameters<SessionPool['teardown']>): Promise<void> {
    await super.teardown(...given);
    releaseState(this);
    await CORES.get(this)?.bindings.settled();
    await CORES.get(this)?.interruption.runEnded();
    await CORES.get(this)?.slots?.giveBackAll();
  }

  /**
   * Crawlee throws the state of a pool away when its crawler runs again, with a pool of its own: no run will go on with
   * these sessions. Those that another pool took over meanwhile are that one's.
   */
  override async resetStore(...given: Parameters<SessionPool['resetStore']>): Promise<void> {
    await super.resetStore(...given);
    const core = CORES.get(this);
    if (core === undefined || !hasEnded(this)) return;
    for (const session of this.sessions) {
      if (core.adopted.find(session.id) === session) core.bindings.release(session.id);
    }
    await core.bindings.settled();
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
    // A session of an earlier run comes with what was kept of its gateway session.
    const { options: sessionOptions, kept } = takeKept(options?.sessionOptions);
    const session: Session =
      createSessionFunction === undefined
        ? createSession(pool, core, sessionOptions)
        : await createSessionFunction(pool, sessionOptions === undefined ? options : { ...options, sessionOptions });
    if (!(session instanceof ProxySession)) watchSession(session, watchOf(core));
    core.adopted.add(session);
    if (kept?.pacing === pacingOf(core) && session.id === sessionOptions?.id) core.bindings.keep(session.id, kept);
    // Crawlee drops a kept session whose time was up meanwhile, and tells nobody.
    if (!session.isUsable()) core.bindings.release(session.id);
    return session;
  };
}

/** Makes a pool that Crawlee built into one of ours; once per pool, before it has any session. */
async function adopt(pool: SessionPool, core: Core, maxPoolSize: number | undefined): Promise<void> {
  if (CORES.has(pool)) return;
  CORES.set(pool, core);
  core.interruption.reset();
  if (pool['persistenceOptions'].enable === true) {
    claimState(pool, { store: pool['keyValueStore'], key: pool['persistStateKey'] }, core.log);
  }
  // Crawlee 3 takes no pool from outside: https://github.com/apify/crawlee/issues/3445
  if (!(pool instanceof ProxySessionPool)) Object.setPrototypeOf(pool, ProxySessionPool.prototype);
  // Crawlee asks for one session after the other, so that none is made before the size is known.
  const outgoingIps = await core.gateway.countOutgoingIps();
  if (maxPoolSize === undefined) pool['maxPoolSize'] = outgoingIps ?? DEFAULT_POOL_SIZE;
  if (core.slots === undefined) return;
  await core.slots.prepare();
  if (!core.slots.isNeeded) return;
  const limit = Math.min(pool['maxPoolSize'], outgoingIps ?? Infinity);
  PICKERS.set(pool, new ReadyFirst({ pool: accessTo(pool), core, slots: core.slots, limit }));
}

/** What the choice of a session may do with a pool. */
function accessTo(pool: SessionPool): PoolAccess {
  const getSession = SessionPool.prototype.getSession.bind(pool) as (
    sessionId?: string,
  ) => Promise<Session | undefined>;
  return {
    usable: () => pool['sessions'].filter((session) => session.isUsable()),
    find: (sessionId) => getSession(sessionId),
    async grow() {
      if (pool['sessions'].some((session) => !session.isUsable())) pool['_removeRetiredSessions']();
      const session = await getSession();
      if (session === undefined) throw new Error('The session pool gave no session');
      return session;
    },
  };
}

/** What of Crawlee's AutoscaledPool the plugin leans on: public, and two members that it declares private. */
export interface TaskPool {
  notify(): Promise<void>;
}

/**
 * Lets tasks start only when a session may go, and makes known in each which request it is about; once per run.
 *
 * Ours: Crawlee has a public option for the first, but who gives it replaces the look into the queue that goes with it.
 */
export function gateTasks(taskPool: TaskPool, sessionPool: SessionPool | undefined): void {
  const picker = sessionPool && PICKERS.get(sessionPool);
  if (GATED.has(taskPool)) return;
  GATED.add(taskPool);
  const inner = taskPool as TaskPool & PrivateTaskPool;
  const { isTaskReadyFunction, runTaskFunction } = inner;
  inner.runTaskFunction = () => runTask(runTaskFunction);
  if (picker === undefined) return;
  const gate = picker.createGate(() => void taskPool.notify());
  inner.isTaskReadyFunction = async () => (await isTaskReadyFunction()) && gate();
}

interface PrivateTaskPool {
  isTaskReadyFunction: () => Promise<boolean>;
  runTaskFunction: () => Promise<unknown>;
}

/** Makes a session with the pool's own options, as Crawlee's default function does. */
function createSession(pool: SessionPool, core: Core, sessionOptions: SessionOptions | undefined): ProxySession {
  const options = { ...pool['sessionOptions'], ...sessionOptions, sessionPool: pool };
  return new ProxySession(options, watchOf(core));
}

/** What follows from what becomes of a session. */
function watchOf(core: Core): SessionWatch {
  const { slots, bindings, verdicts } = core;
  return {
    onRetired(session, cause) {
      slots?.drop(session.id);
      verdicts.retired(session, cause);
    },
    onGood: (session) => verdicts.good(session),
    keepable(sessionId) {
      const info = bindings.keepable(sessionId);
      return info && { ...info, pacing: pacingOf(core) };
    },
  };
}

/** Who paces the sessions of a pool. */
function pacingOf({ slots }: Core): PluginPacing {
  return slots?.isNeeded === true ? 'client' : 'gateway';
}
