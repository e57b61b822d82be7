// The options of the plugin as users write them, and how a beginner's mistakes among them are told.
// The gateway's own options, for `launch()`, are not known here.

import { readFileSync } from 'node:fs';

import { distance } from 'fastest-levenshtein';

import { resolveGatewayUrl } from '../client/gateway-url.js';
import type { GatewayAddress } from '../client/gateway-url.js';

/** Who keeps the distance between uses: the gateway by holding requests, or the plugin by booking start times. */
export type PluginPacing = 'gateway' | 'client';

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
   * `headers` is for servers that know nothing else, such as Smart Proxy Manager, and needs one of the presets.
   *
   * @default 'credentials'
   */
  readonly transport?: Transport | undefined;
  /** ISO 3166 code of the country that sessions leave from, such as `us`. @default any */
  readonly country?: string | undefined;
  /**
   * The CA certificate of a server that looks inside https, PEM or its file. Transport `headers` needs it for https
   * targets: inside tunnels this CA is trusted and no other, so that the session header reaches nobody but the server.
   * `NODE_EXTRA_CA_CERTS` can't tell one from the other and so does not count. Chromium takes it beside its own CAs.
   *
   * @default none: with transport `headers` https targets are refused
   */
  readonly ca?: string | Buffer | undefined;
  /**
   * Who keeps the distance between uses. `client`: start times are booked at the gateway, and sessions are chosen by who
   * may go next, so that waiting takes no time limit and no place of the crawler's. `gateway`: it holds requests.
   *
   * @default 'client' through a preset with transport `credentials`, else 'gateway'
   */
  readonly pacing?: PluginPacing | undefined;
  /** What follows when a request left by another session than its own: it is counted, or fails. @default 'count' */
  readonly onMismatch?: 'count' | 'throw' | undefined;
  /**
   * What follows when the gateway has lost a session: the Crawlee session is retired with it, or goes on with a new one,
   * and so, cookies and all, from another outgoing IP. Browser crawlers always retire.
   *
   * @default 'retire'
   */
  readonly onSessionLost?: 'retire' | 'recreate' | undefined;
}

/** The options that go with a gateway in this process, which knows its own address. */
export type LaunchedOptions = Omit<SessionProxyConfigurationOptions, 'proxyUrl' | 'ca'>;

/** Options as the plugin works with them. */
export interface ResolvedOptions {
  readonly address: GatewayAddress;
  readonly transport: Transport;
  readonly country: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
  /** Of crawlers with a preset; the option `proxyConfiguration` alone leaves it to the gateway. */
  readonly pacing: PluginPacing;
  readonly onMismatch: 'count' | 'throw';
  readonly onSessionLost: 'retire' | 'recreate';
}

const LAUNCHED_NAMES = ['transport', 'country', 'pacing', 'onMismatch', 'onSessionLost'] as const;
const NAMES: readonly string[] = ['proxyUrl', 'ca', ...LAUNCHED_NAMES];

/** Names that belong elsewhere or to another version, with what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  proxyUrls: 'the gateway knows the proxies; give them to it as upstreams, and its own address here as proxyUrl',
  tieredProxyUrls:
    'tiers would give a Crawlee session another outgoing IP on every request; give the proxies to the gateway',
  newUrlFunction: 'the plugin makes the proxy URL of each session itself',
  upstreams: 'these are for a gateway; use SessionProxyConfiguration.launch({ upstreams })',
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
  const { transport = 'credentials', country, onMismatch = 'count', onSessionLost = 'retire' } = options;
  refuseOthers('transport', transport, ['credentials', 'headers']);
  refuseOthers('onMismatch', onMismatch, ['count', 'throw']);
  refuseOthers('onSessionLost', onSessionLost, ['retire', 'recreate']);
  return {
    address: readAddress(options.proxyUrl),
    transport,
    country: readCountry(country, transport),
    ca: readCa(options.ca),
    pacing: readPacing(options.pacing, transport),
    onMismatch,
    onSessionLost,
  };
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
  const { transport, country, pacing, onMismatch, onSessionLost, ...gateway } = options;
  for (const name of Object.keys(gateway)) refuseMisspelt(name);
  return { plugin: { transport, country, pacing, onMismatch, onSessionLost }, gateway };
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

function readPacing(pacing: PluginPacing | undefined, transport: Transport): PluginPacing {
  refuseOthers('pacing', pacing ?? 'gateway', ['gateway', 'client']);
  if (pacing === 'client' && transport === 'headers') {
    throw new TypeError(
      "pacing 'client' needs transport 'credentials': servers that know headers only book no start times",
    );
  }
  return pacing ?? (transport === 'headers' ? 'gateway' : 'client');
}

function readCa(ca: unknown): string | undefined {
  if (ca === undefined) return undefined;
  const text = Buffer.isBuffer(ca) ? ca.toString('utf8') : ca;
  if (typeof text !== 'string')
    throw new TypeError('ca takes a certificate as PEM, in a string or Buffer, or the name of its file');
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  try {
    return readFileSync(text, 'utf8');
  } catch (error) {
    throw new TypeError(`ca: no certificate could be read from ${text.slice(0, 200)}`, { cause: error });
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
  throw new TypeError(`${name} takes ${known.map((one) => `'${one}'`).join(' or ')}; it is ${JSON.stringify(value)}`);
}
