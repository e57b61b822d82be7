// Browsers with transport 'headers'. They set no header on a CONNECT, and one on the requests inside would reach targets;
// so a proxy in this process stands before the server, which they use as if it were a gateway that takes the session in
// the credentials. What a browser crawler needs beside that is settled in `browser-crawler-options.ts`.

import { createHash, X509Certificate } from 'node:crypto';

import { ProxyConfiguration } from '@crawlee/core';
import type { ProxyInfo, Request } from '@crawlee/core';

import { mergeBrowserCrawlerOptions } from './browser-crawler-options.js';
import type { BrowserPresetOptions } from './browser-crawler-options.js';
import type { LaunchContext } from './browser-launch.js';
import { isChromium } from './browser-launch.js';
import type { Core } from './core.js';
import { HeaderHop } from './header-hop.js';
import { STEADY_HEADERS } from './header-transport.js';
import { refuseWrongSession } from './pinned-request.js';
import { writeProxyUrl } from './proxy-url.js';

/** What is known of the proxy of each configuration, whose parts are copied and so no key of their own. */
const WAYS = new WeakMap<Core['bindings'], BrowserWay>();

/** The proxy, and what browser crawlers are given in place of the configuration. */
interface BrowserWay {
  readonly hop: HeaderHop;
  readonly core: Core;
  readonly configuration: ProxyConfiguration;
}

/**
 * Merges the preset for browser crawlers into a crawler's options, with the proxy of this process before the server.
 *
 * @throws TypeError as `mergeBrowserCrawlerOptions` does
 */
export function mergeHeaderBrowserOptions<O extends object>(
  core: Core,
  own: ProxyConfiguration,
  options: O,
  plugin: BrowserPresetOptions,
): O {
  const way = wayOf(core);
  const merged: O & GivenPool = mergeBrowserCrawlerOptions(way.core, own, options, plugin);
  const { ca } = core.options;
  const trust = (_pageId: string, context: LaunchContext): void => trustAuthority(context, ca);
  return {
    ...merged,
    proxyConfiguration: way.configuration,
    browserPoolOptions: {
      ...merged.browserPoolOptions,
      preLaunchHooks: [trust, ...(merged.browserPoolOptions?.preLaunchHooks ?? [])],
    },
  };
}

/** Stops the proxy of a configuration, if it has one. */
export async function closeBrowserWay({ bindings }: Core): Promise<void> {
  await WAYS.get(bindings)?.hop.close();
}

interface GivenPool {
  readonly browserPoolOptions?: { readonly preLaunchHooks?: readonly unknown[] };
}

function wayOf(core: Core): BrowserWay {
  const known = WAYS.get(core.bindings);
  if (known !== undefined) return known;
  const hop = new HeaderHop({ server: core.address, steadyHeaders: STEADY_HEADERS });
  const hopCore: Core = { ...core, address: hop.address, transport: 'credentials' };
  const way = { hop, core: hopCore, configuration: new HopProxyConfiguration(hop, core) };
  WAYS.set(core.bindings, way);
  return way;
}

/** What Crawlee hands over beside the session. */
interface RequestHolder {
  readonly request?: Request;
}

/** Gives each Crawlee session the proxy of this process, and its gateway session, made over REST, in the password. */
class HopProxyConfiguration extends ProxyConfiguration {
  readonly #hop: HeaderHop;
  readonly #core: Core;

  constructor(hop: HeaderHop, core: Core) {
    super();
    this.#hop = hop;
    this.#core = core;
  }

  override async newProxyInfo(sessionId?: string | number, options?: RequestHolder): Promise<ProxyInfo> {
    const url = await this.newUrl(sessionId, options);
    const { username, password, hostname, port } = new URL(url);
    const session = sessionId === undefined ? {} : { sessionId: String(sessionId) };
    return { ...session, url, username, password: decodeURIComponent(password), hostname, port };
  }

  override async newUrl(sessionId?: string | number, { request }: RequestHolder = {}): Promise<string> {
    await this.#hop.listen();
    if (sessionId === undefined) return writeProxyUrl(this.#hop.address);
    if (request !== undefined) refuseWrongSession(this.#core, String(sessionId), request);
    const { id } = await this.#core.bindings.bind(String(sessionId));
    return writeProxyUrl(this.#hop.address, id);
  }
}

/**
 * Makes a browser accept certificates that the server's CA has signed, and no others that it would not accept anyhow.
 * Crawlee's own way, `isManInTheMiddle`, accepts every certificate. Firefox and WebKit have no such argument.
 *
 * @see https://source.chromium.org/chromium/chromium/src/+/main:services/network/public/cpp/network_switches.cc
 */
function trustAuthority({ browserPlugin, launchOptions }: LaunchContext, ca: string | undefined): void {
  if (ca === undefined || launchOptions === undefined || !isChromium(browserPlugin.library, launchOptions)) return;
  const key = new X509Certificate(ca).publicKey.export({ type: 'spki', format: 'der' });
  const hash = createHash('sha256').update(key).digest('base64');
  (launchOptions.args ??= []).push(`--ignore-certificate-errors-spki-list=${hash}`);
}
