// The preset for browser crawlers (Playwright, Puppeteer), merged into the user's options, whose values win.

import type { ProxyConfiguration } from '@crawlee/core';

import { BrowserFingerprints } from './browser-fingerprints.js';
import type { FingerprintPool, PageController, PageOptions } from './browser-fingerprints.js';
import { BrowserLaunch } from './browser-launch.js';
import type { Isolation, LaunchContext, LaunchedController } from './browser-launch.js';
import { BrowserNavigation } from './browser-navigation.js';
import type { BrowserContext } from './browser-navigation.js';
import type { Core } from './core.js';
import { createPreset } from './preset.js';
import type { GivenOptions } from './preset.js';

/**
 * How the pages of a browser crawler are kept apart.
 *
 * @example
 * ```ts
 * const options = proxyConfiguration.browserCrawlerOptions({ requestHandler }, { isolation: 'browser' });
 * ```
 */
export interface BrowserPresetOptions {
  /**
   * `page`: each page has a context of its own, so that one browser serves many sessions. `browser`: each session has a
   * browser of its own. @default 'page'
   */
  readonly isolation?: Isolation | undefined;
}

/** What of a browser crawler's options is looked at beside those of every crawler. */
interface GivenBrowserOptions extends GivenOptions {
  readonly launchContext?: GivenLaunchContext;
  readonly browserPoolOptions?: Partial<Record<HookName, readonly unknown[]>>;
}

interface GivenLaunchContext {
  readonly useIncognitoPages?: boolean;
  readonly browserPerProxy?: boolean;
  readonly experimentalContainers?: boolean;
  readonly launchOptions?: { readonly args?: readonly string[]; readonly proxy?: unknown };
}

/** The hooks of Crawlee's browser pool that the preset needs. */
type HookName = 'preLaunchHooks' | 'postLaunchHooks' | 'prePageCreateHooks' | 'prePageCloseHooks';

/** What the preset does before a page is loaded. */
type BeforeNavigation = BrowserContext & { readonly crawler: { readonly browserPool: FingerprintPool } };

/** Arguments of Chromium that would lead past the session's proxy. */
const PROXY_ARGUMENT = /^--(?:no-)?proxy-(?:server|bypass-list|pac-url|auto-detect)/;

/**
 * Merges the preset into a crawler's options.
 *
 * @throws TypeError for another `proxyConfiguration`, none of sessions at all, or options that contradict the isolation
 */
export function mergeBrowserCrawlerOptions<O extends object>(
  core: Core,
  own: ProxyConfiguration,
  options: O,
  { isolation = 'page' }: BrowserPresetOptions,
): O {
  const given: GivenBrowserOptions = options;
  refuseContradictions(given.launchContext ?? {}, isolation);
  const { prepare, verify, sessionPoolOptions, ...preset } = createPreset(core, own, given, 'browserCrawlerOptions()');
  const launch = new BrowserLaunch(core, isolation);
  const fingerprints = new BrowserFingerprints(core);
  const navigation = new BrowserNavigation(core);
  const enter = (context: BeforeNavigation): void => {
    fingerprints.learn(context.crawler.browserPool);
    navigation.enter(context);
  };
  const { createSessionFunction } = sessionPoolOptions;
  return {
    ...options,
    ...preset,
    sessionPoolOptions: {
      ...sessionPoolOptions,
      createSessionFunction: createSessionFunction && launch.watch(createSessionFunction),
    },
    launchContext: { ...given.launchContext, ...ISOLATIONS[isolation] },
    browserPoolOptions: mergeHooks(given.browserPoolOptions ?? {}, createHooks(launch, fingerprints, navigation)),
    preNavigationHooks: [enter, prepare, ...(given.preNavigationHooks ?? [])],
    postNavigationHooks: [verify, ...(given.postNavigationHooks ?? [])],
  };
}

function createHooks(
  launch: BrowserLaunch,
  fingerprints: BrowserFingerprints,
  navigation: BrowserNavigation,
): Readonly<Record<HookName, unknown>> {
  return {
    preLaunchHooks: (_pageId: string, context: LaunchContext) => launch.prepare(context),
    postLaunchHooks: (_pageId: string, controller: LaunchedController) => launch.settle(controller),
    async prePageCreateHooks(pageId: string, controller: PageController, pageOptions?: PageOptions) {
      // With a browser for each session Crawlee's own fingerprints are right, and pages have no options.
      if (pageOptions === undefined) return;
      keepLoopbackInside(pageOptions);
      await fingerprints.dress(pageId, controller, pageOptions);
    },
    prePageCloseHooks: (page: object) => navigation.leave(page),
  };
}

const ISOLATIONS: Readonly<Record<Isolation, GivenLaunchContext>> = {
  page: { useIncognitoPages: true },
  browser: { browserPerProxy: true },
};

/** The preset's hooks go first, so that the user's see what it did, and have the last word. */
function mergeHooks(
  given: Partial<Record<HookName, readonly unknown[]>>,
  hooks: Readonly<Record<HookName, unknown>>,
): object {
  const merged = Object.entries(hooks).map(([name, hook]) => [name, [hook, ...(given[name as HookName] ?? [])]]);
  return { ...given, ...Object.fromEntries(merged) };
}

/** Puppeteer's contexts reach loopback targets without their proxy, unless told. */
function keepLoopbackInside(pageOptions: PageOptions): void {
  if (pageOptions.proxyPassword === undefined) return;
  pageOptions.proxyBypassList = [...(pageOptions.proxyBypassList ?? []), '<-loopback>'];
}

function refuseContradictions(
  { useIncognitoPages, browserPerProxy, experimentalContainers, launchOptions = {} }: GivenLaunchContext,
  isolation: Isolation,
): void {
  const wrong = findWrong();
  if (wrong !== undefined) throw new TypeError(`browserCrawlerOptions(): ${wrong}`);

  function findWrong(): string | undefined {
    if (!Object.hasOwn(ISOLATIONS, isolation)) {
      return `isolation takes 'page' or 'browser'; it is ${JSON.stringify(isolation)}`;
    }
    if (experimentalContainers === true)
      return 'experimentalContainers give pages no sessions of their own; leave it out';
    if (isolation === 'page' && useIncognitoPages === false) {
      return "isolation 'page' is useIncognitoPages: true; leave false out, or write { isolation: 'browser' }";
    }
    if (isolation === 'browser' && useIncognitoPages === true) {
      return "useIncognitoPages: true is isolation 'page'; leave one of both out";
    }
    if (isolation === 'browser' && browserPerProxy === false) {
      return "isolation 'browser' is browserPerProxy: true; leave false out, or write { isolation: 'page' }";
    }
    if (launchOptions.proxy !== undefined) {
      return 'launchOptions.proxy is the business of the session; give its proxy to the gateway as an upstream';
    }
    const argument = launchOptions.args?.find((one) => PROXY_ARGUMENT.test(one));
    return argument && `the argument ${argument.split('=')[0]} would lead past the session; leave it out`;
  }
}
