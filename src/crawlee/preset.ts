// What all presets have in common: the pool with its sessions, time limits that outlast the longest hold, and what is
// done before a page is loaded. Which class of crawler they are for is not known here.

import type { ProxyConfiguration, SessionPool, SessionPoolOptions } from '@crawlee/core';

import { limitConcurrency } from './concurrency-limit.js';
import type { LimitedContext } from './concurrency-limit.js';
import type { Core } from './core.js';
import { createAdoptingFunction, gateTasks } from './proxy-session-pool.js';
import type { TaskPool } from './proxy-session-pool.js';
import { refuseLeaks, tellLeaks } from './leaks.js';
import { lengthenLock } from './request-lock.js';
import type { NavigationContext } from './request-lock.js';
import { watchSource } from './task-context.js';
import type { RequestSource } from './task-context.js';
import type { LoadedContext } from './truth-check.js';

/** Time a page has beyond the longest hold, in seconds. */
const PAGE_SECS = 60;

/** What of a crawler's options is looked at. */
export interface GivenOptions {
  readonly proxyConfiguration?: ProxyConfiguration;
  readonly sessionPoolOptions?: SessionPoolOptions;
  readonly navigationTimeoutSecs?: number;
  readonly requestHandlerTimeoutSecs?: number;
  readonly useSessionPool?: boolean;
  readonly preNavigationHooks?: readonly unknown[];
  readonly postNavigationHooks?: readonly unknown[];
  readonly maxConcurrency?: number;
  readonly autoscaledPoolOptions?: { readonly maxConcurrency?: number };
  readonly respectRobotsTxtFile?: unknown;
  readonly errorHandler?: ErrorHandler;
}

/** What of a request's context is looked at to hold tasks back. */
interface HeldContext {
  readonly crawler: {
    readonly autoscaledPool?: TaskPool;
    readonly sessionPool?: SessionPool;
    readonly requestQueue?: RequestSource;
  };
}

/** Options that every preset sets, and what it does with the context of a request before the page is loaded. */
export interface Preset {
  readonly proxyConfiguration: ProxyConfiguration;
  readonly sessionPoolOptions: SessionPoolOptions;
  /** Time limits that outlast the longest hold; the user's own win. */
  readonly navigationTimeoutSecs: number;
  readonly requestHandlerTimeoutSecs: number;
  readonly prepare: (context: NavigationContext & LimitedContext & HeldContext) => Promise<void>;
  /** What is done when the page was loaded. */
  readonly verify: (context: LoadedContext) => Promise<void>;
  readonly errorHandler: ErrorHandler;
}

/** What a crawler calls before it tries a request again. */
type ErrorHandler = (context: HeldContext, error: Error) => unknown;

/**
 * Makes the common part of a preset.
 *
 * @param name of the method, for messages: `httpCrawlerOptions()`
 * @throws TypeError for another `proxyConfiguration`, none of sessions at all, or an option by which requests would leave
 *   past the proxy
 */
export function createPreset(core: Core, own: ProxyConfiguration, given: GivenOptions, name: string): Preset {
  refuseContradictions(own, given, name);
  refuseLeaks(given, name);
  const navigationTimeoutSecs = given.navigationTimeoutSecs ?? Math.ceil(core.maxHoldMs / 1000) + PAGE_SECS;
  // What a handler sends with `sendRequest()` is held like a page.
  const requestHandlerTimeoutSecs = given.requestHandlerTimeoutSecs ?? navigationTimeoutSecs;
  const sessionPoolOptions = given.sessionPoolOptions ?? {};
  return {
    proxyConfiguration: own,
    sessionPoolOptions: {
      ...sessionPoolOptions,
      createSessionFunction: createAdoptingFunction(core, sessionPoolOptions),
    },
    navigationTimeoutSecs,
    requestHandlerTimeoutSecs,
    async prepare(context) {
      tellLeaks(core.log, context.crawler);
      core.truth.begin(context);
      core.interruption.watch(context.crawler);
      await lengthenLock(context, navigationTimeoutSecs + requestHandlerTimeoutSecs);
      watchTasks(context);
      if (core.slots?.isNeeded === true) return;
      if (!limitsConcurrency(given)) await limitConcurrency(context, core.gateway);
    },
    verify: (context) => core.truth.verify(context),
    errorHandler(context, error) {
      // A request that was put into another session than it names never came as far as a page.
      watchTasks(context);
      return given.errorHandler?.(context, error);
    },
  };
}

/**
 * From the first page on it is known which request a task is about, and tasks start only when a session may go. Those that
 * began before wait for their session.
 */
function watchTasks({ crawler }: HeldContext): void {
  const { autoscaledPool, sessionPool, requestQueue } = crawler;
  if (requestQueue !== undefined) watchSource(requestQueue);
  if (autoscaledPool !== undefined) gateTasks(autoscaledPool, sessionPool);
}

function refuseContradictions(
  own: ProxyConfiguration,
  { proxyConfiguration, useSessionPool }: GivenOptions,
  name: string,
): void {
  if (proxyConfiguration !== undefined && proxyConfiguration !== own) {
    throw new TypeError(
      `${name} puts its own proxyConfiguration in: leave yours out, and give its proxies to the gateway as upstreams`,
    );
  }
  if (useSessionPool === false) {
    throw new TypeError(`${name} needs the session pool: leave useSessionPool: false out`);
  }
}

function limitsConcurrency({ maxConcurrency, autoscaledPoolOptions }: GivenOptions): boolean {
  return maxConcurrency !== undefined || autoscaledPoolOptions?.maxConcurrency !== undefined;
}
