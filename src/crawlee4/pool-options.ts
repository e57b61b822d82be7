// The options of the pool for Crawlee 4 as users write them. What a proxy URL and a country look like is settled in the
// plugin for Crawlee 3.

import { resolveOptions } from '../crawlee/options.js';
import type { GatewayAddress } from '../client/gateway-url.js';

/**
 * Options of `ProxySessionPool.open()`.
 *
 * @example
 * ```ts
 * const options: ProxySessionPoolOptions = { proxyUrl: 'http://KEY:@127.0.0.1:8011', maxPoolSize: 10 };
 * ```
 */
export interface ProxySessionPoolOptions {
  /** Where the gateway is, with the API key: `http://KEY:@host:port`. */
  readonly proxyUrl: string;
  /** ISO 3166 code of the country that sessions leave from, such as `us`. @default any */
  readonly country?: string | undefined;
  /** Sessions at a time. @default as many as the gateway has outgoing IPs, 20 where it can't be asked */
  readonly maxPoolSize?: number | undefined;
  /** Requests after which a session is replaced. @default 50, as Crawlee has it */
  readonly maxUsageCount?: number | undefined;
  /** Failed requests after which a session is replaced; each that goes well makes up for half of one. @default 3 */
  readonly maxErrorScore?: number | undefined;
  /** Age at which a session is replaced, in seconds. @default 3000, as Crawlee has it */
  readonly maxAgeSecs?: number | undefined;
  /**
   * Whether certificates are not verified in this pool's sessions. Only for a gateway that looks inside tunnels which
   * name a session (`intercept: always`), where the clients do not trust its CA. @default false
   */
  readonly ignoreTlsErrors?: boolean | undefined;
}

/** Options as the pool works with them. */
export interface ResolvedPoolOptions {
  readonly address: GatewayAddress;
  readonly country: string | undefined;
  readonly maxPoolSize: number | undefined;
  readonly maxUsageCount: number;
  readonly maxErrorScore: number;
  readonly maxAgeMs: number;
  readonly ignoreTlsErrors: boolean;
}

const NUMBERS = ['maxPoolSize', 'maxUsageCount', 'maxErrorScore', 'maxAgeSecs'] as const;
const NAMES: readonly string[] = ['proxyUrl', 'country', ...NUMBERS, 'ignoreTlsErrors'];

/**
 * Checks options and fills in the defaults.
 *
 * @throws TypeError that says which option was wrong and what to write; never with the API key in it
 */
export function resolvePoolOptions(options: ProxySessionPoolOptions): ResolvedPoolOptions {
  const unknown = Object.keys(options ?? {}).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`Unknown option ${unknown} of ProxySessionPool.open(); known are ${NAMES.join(', ')}`);
  }
  const { address, country } = resolveOptions({ proxyUrl: options?.proxyUrl, country: options?.country });
  for (const name of NUMBERS) refuseNoNumber(name, options[name]);
  const { maxPoolSize, maxUsageCount = 50, maxErrorScore = 3, maxAgeSecs = 3_000, ignoreTlsErrors = false } = options;
  if (typeof ignoreTlsErrors !== 'boolean') throw new TypeError('ignoreTlsErrors takes true or false');
  const maxAgeMs = maxAgeSecs * 1000;
  return { address, country, maxPoolSize, maxUsageCount, maxErrorScore, maxAgeMs, ignoreTlsErrors };
}

function refuseNoNumber(name: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value >= 1)) return;
  throw new TypeError(`${name} takes a number of at least 1; it is ${JSON.stringify(value)}`);
}
