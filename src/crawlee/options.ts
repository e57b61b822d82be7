// The options of the plugin as users write them, and how a beginner's mistakes among them are told.
// The gateway's own options, for `launch()`, are not known here.

import { distance } from 'fastest-levenshtein';

import { resolveGatewayUrl } from '../client/gateway-url.js';
import type { GatewayAddress } from '../client/gateway-url.js';

/** How the session reaches the gateway: in the proxy's credentials, or in a header of each request. */
export type Transport = 'credentials' | 'headers';

/**
 * Options of `SessionProxyConfiguration`.
 *
 * @example
 * ```ts
 * const options: SessionProxyConfigurationOptions = { proxyUrl: 'http://KEY:@127.0.0.1:8011', country: 'us' };
 * ```
 */
export interface SessionProxyConfigurationOptions {
  /** Where the gateway is, with the API key: `http://KEY:@host:port`. */
  readonly proxyUrl: string;
  /**
   * Where the session is named. `credentials` works with every target and with the option `proxyConfiguration` alone;
   * `headers` is for servers that know nothing else, needs `httpCrawlerOptions()`, and reaches `http://` targets only.
   *
   * @default 'credentials'
   */
  readonly transport?: Transport | undefined;
  /** ISO 3166 code of the country that sessions leave from, such as `us`. @default any */
  readonly country?: string | undefined;
  /** Who keeps the distance between uses. This version knows `gateway`: it holds requests. @default 'gateway' */
  readonly pacing?: 'gateway' | undefined;
  /** What follows when the gateway has lost a session. This version knows `retire`. @default 'retire' */
  readonly onSessionLost?: 'retire' | undefined;
}

/** The options that go with a gateway in this process, which knows its own address. */
export type LaunchedOptions = Omit<SessionProxyConfigurationOptions, 'proxyUrl'>;

/** Options as the plugin works with them. */
export interface ResolvedOptions {
  readonly address: GatewayAddress;
  readonly transport: Transport;
  readonly country: string | undefined;
}

const LAUNCHED_NAMES = ['transport', 'country', 'pacing', 'onSessionLost'] as const;
const NAMES: readonly string[] = ['proxyUrl', ...LAUNCHED_NAMES];

/** Names that belong elsewhere or to another version, with what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  proxyUrls: 'the gateway knows the proxies; give them to it as upstreams, and its own address here as proxyUrl',
  tieredProxyUrls:
    'tiers would give a Crawlee session another outgoing IP on every request; give the proxies to the gateway',
  newUrlFunction: 'the plugin makes the proxy URL of each session itself',
  upstreams: 'these are for a gateway; use SessionProxyConfiguration.launch({ upstreams })',
  ca: 'it has no use in this version, for the gateway leaves the TLS of targets untouched',
};

/**
 * Checks options and fills in the defaults.
 *
 * @throws TypeError that says which option was wrong and what to write; never with the API key in it
 */
export function resolveOptions(options: SessionProxyConfigurationOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError("Give options: new SessionProxyConfiguration({ proxyUrl: 'http://KEY:@127.0.0.1:8011' })");
  }
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) refuseUnknown(name);
  }
  const { transport = 'credentials', country } = options;
  refuseOthers('transport', transport, ['credentials', 'headers']);
  refuseOthers('pacing', options.pacing ?? 'gateway', ['gateway']);
  refuseOthers('onSessionLost', options.onSessionLost ?? 'retire', ['retire']);
  return { address: readAddress(options.proxyUrl), transport, country: readCountry(country, transport) };
}

/**
 * Takes the plugin's options out of those for `launch()`; the rest are the gateway's.
 *
 * @throws TypeError if these are no options, or one is a misspelt option of the plugin's
 */
export function splitLaunchOptions<T extends LaunchedOptions>(
  options: T,
): { readonly plugin: LaunchedOptions; readonly gateway: Omit<T, keyof LaunchedOptions> } {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(
      "Give options: SessionProxyConfiguration.launch({ upstreams: ['http://user:password@host:port'] })",
    );
  }
  const { transport, country, pacing, onSessionLost, ...gateway } = options;
  for (const name of Object.keys(gateway)) refuseMisspelt(name);
  return { plugin: { transport, country, pacing, onSessionLost }, gateway };
}

/** The gateway refuses what it does not know, with the nearest name of its own; it does not know the plugin's names. */
function refuseMisspelt(name: string): void {
  const plain = name.toLowerCase().replaceAll(/[-_]/g, '');
  // Two letters in the wrong order are a distance of 2; no option of a gateway's is as near.
  const meant = LAUNCHED_NAMES.find((known) => distance(plain, known.toLowerCase()) <= 2);
  if (meant === undefined) return;
  throw new TypeError(`Unknown option ${name} of SessionProxyConfiguration.launch(). Did you mean ${meant}?`);
}

function readAddress(proxyUrl: unknown): GatewayAddress {
  if (typeof proxyUrl !== 'string') {
    throw new TypeError(
      "proxyUrl is missing: give the gateway's address with the API key, http://KEY:@127.0.0.1:8011, or use " +
        'SessionProxyConfiguration.launch({ upstreams }) for a gateway in this process',
    );
  }
  try {
    return resolveGatewayUrl(proxyUrl);
  } catch (error) {
    throw new TypeError(`proxyUrl: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function readCountry(country: unknown, transport: Transport): string | undefined {
  if (country === undefined) return undefined;
  if (typeof country !== 'string' || !/^[a-z]{2}$/i.test(country)) {
    throw new TypeError(`country takes two letters, such as us; it is ${JSON.stringify(country)}`);
  }
  if (transport === 'headers') {
    throw new TypeError(
      "country can't go with transport 'headers': the protocol's region and session headers exclude each other",
    );
  }
  return country.toLowerCase();
}

function refuseUnknown(name: string): void {
  if (NAMES.includes(name)) return;
  const instead = REFUSED[name];
  if (instead !== undefined)
    throw new TypeError(`The option ${name} does not go with SessionProxyConfiguration: ${instead}`);
  const nearest = NAMES.toSorted((a, b) => distance(name, a) - distance(name, b))[0];
  throw new TypeError(
    `Unknown option ${name} of SessionProxyConfiguration; known are ${NAMES.join(', ')}. Did you mean ${nearest}?`,
  );
}

function refuseOthers(name: string, value: unknown, known: readonly string[]): void {
  if (typeof value === 'string' && known.includes(value)) return;
  const later = value === 'client' || value === 'recreate' ? ' in this version' : '';
  throw new TypeError(
    `${name} takes ${known.map((one) => `'${one}'`).join(' or ')}${later}; it is ${JSON.stringify(value)}`,
  );
}
