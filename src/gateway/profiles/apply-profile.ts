// What a request looks like when the gateway plays a browser. Pure: which browser that is was decided before.

import { fieldsOf, type RawHeaders, valuesOf } from '../../protocol/raw-headers.js';
import { readTarget, siteOf } from '../../upstreams/target-address.js';
import type { Profile } from './profiles.js';

/** How a profile is put on. */
export interface ProfileUse {
  /** Names, in lower case, of fields that stay the client's where it sent them. */
  readonly pass: ReadonlySet<string>;
  /** Whether the target is asked over TLS: browsers send client hints and `Sec-Fetch` fields there only. */
  readonly isSecure: boolean;
}

type Field = readonly [name: string, value: string];

/** Fields that tell which browser sent a request, in lower case. Client hints, `sec-ch-…`, are such fields, too. */
const BROWSER_FIELDS = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'dnt',
  'upgrade-insecure-requests',
  'user-agent',
]);

/**
 * The fields of a request as the browser of a profile would send them: the profile's in its order, behind `Host` where
 * that was first, then all others of the client, byte for byte and in order. Browser-specific fields of the client are
 * left out, but for those in `pass`.
 *
 * Three fields keep a claim that only the client can make. The value of `Accept-Encoding` stays, since the client has to
 * decode the answer, and only takes the profile's place. `Sec-Fetch` fields stay if it sent any: they tell what
 * a request is for. Client hints stay if its `User-Agent` does, or two browsers would speak at once.
 *
 * @see https://docs.zyte.com/smart-proxy-manager.html "X-Crawlera-Profile"
 */
export function applyProfile(raw: RawHeaders, profile: Profile, use: ProfileUse): string[] {
  const client = [...fieldsOf(raw)];
  const isPassed = passedBy(client, use);
  const kept = client.filter(([name]) => !isBrowserField(name.toLowerCase()) || isPassed(name.toLowerCase()));
  return behindHost(kept, playedFields({ raw, profile, use, isPassed }));
}

/**
 * The fields of a request with the profile's `User-Agent` and nothing else of it. It stands where the client's stood,
 * or first behind `Host`.
 */
export function applyUserAgent(raw: RawHeaders, { userAgent }: Profile): string[] {
  const played: Field = ['User-Agent', userAgent];
  const client = [...fieldsOf(raw)];
  const place = client.findIndex(isUserAgent);
  if (place === -1) return behindHost(client, [played]);
  return client.flatMap((field, index) => {
    if (index === place) return played;
    return isUserAgent(field) ? [] : field;
  });
}

/** Tells which fields, by lower-case name, are left to the client. */
function passedBy(client: readonly Field[], { pass }: ProfileUse): (lower: string) => boolean {
  const sent = new Set(client.map(([name]) => name.toLowerCase()));
  // Ours: a field in `pass` that the client did not send comes from the profile; there is nothing to let pass.
  const passed = new Set([...pass].filter((name) => sent.has(name)));
  const hasFetchFields = [...sent].some(isFetchField);
  return (lower) =>
    passed.has(lower) || (isFetchField(lower) && hasFetchFields) || (isClientHint(lower) && passed.has('user-agent'));
}

interface Playing {
  readonly raw: RawHeaders;
  readonly profile: Profile;
  readonly use: ProfileUse;
  readonly isPassed: (lower: string) => boolean;
}

function playedFields({ raw, profile, use, isPassed }: Playing): Field[] {
  return [...fieldsOf(profile.headers)].flatMap(([name, value]): Field[] => {
    const lower = name.toLowerCase();
    if (isPassed(lower)) return [];
    if (lower === 'accept-encoding') return valuesOf(raw, lower).map((encodings) => [name, encodings]);
    if (!use.isSecure && (isClientHint(lower) || isFetchField(lower))) return [];
    return [[name, lower === 'sec-fetch-site' ? fetchSiteOf(raw) : value]];
  });
}

function behindHost(client: readonly Field[], played: readonly Field[]): string[] {
  const hosts = client[0]?.[0].toLowerCase() === 'host' ? 1 : 0;
  return [...client.slice(0, hosts), ...played, ...client.slice(hosts)].flat();
}

/**
 * How the page that a request comes from is related to its target. Statistics can't know that: it follows from
 * `Referer`, and without one a page was opened by hand.
 *
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
function fetchSiteOf(raw: RawHeaders): string {
  const [referer] = valuesOf(raw, 'referer');
  if (referer === undefined) return 'none';
  const [host = ''] = valuesOf(raw, 'host');
  const own = readTarget(host, 443);
  if (own === undefined || !URL.canParse(referer)) return 'cross-site';
  const page = new URL(referer);
  const from = readTarget(page.host, 443);
  if (page.protocol !== 'https:' || from === undefined) return 'cross-site';
  if (from.host === own.host && from.port === own.port) return 'same-origin';
  return siteOf(from.host) === siteOf(own.host) ? 'same-site' : 'cross-site';
}

function isUserAgent([name]: Field): boolean {
  return name.toLowerCase() === 'user-agent';
}

function isBrowserField(lower: string): boolean {
  return BROWSER_FIELDS.has(lower) || isClientHint(lower) || isFetchField(lower);
}

function isFetchField(lower: string): boolean {
  return lower.startsWith('sec-fetch-');
}

function isClientHint(lower: string): boolean {
  return lower.startsWith('sec-ch-');
}
