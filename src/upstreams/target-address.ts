// Reads where a request wants to go. Hosts are spelled as a URL spells them, so that a rule about `127.0.0.1` also
// meets `0x7f.1`, `2130706433` and `127.1`. Whether the place may be contacted is not decided here.

import { createRequire } from 'node:module';

import type * as Tldts from 'tldts';

import { remembered } from './remembered.js';
import type { DialTarget } from './upstream.js';

// Not imported: Node would first look through the whole public suffix list, 200 KB, for names that it exports, which
// takes twice as long as to load it.
const { getDomain } = createRequire(import.meta.url)('tldts') as typeof Tldts;

/** `host`, `host:port`, `[ipv6]` or `[ipv6]:port`; nothing before, between or after. */
const AUTHORITY = /^(?<host>\[[^\]]*\]|[^:[\]]+)(?::(?<port>\d{1,5}))?$/;

/** What would make a URL see more than a host: userinfo, path, query, fragment, and characters it drops unasked. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const MORE_THAN_A_HOST = /[@/\\?#\u0000-\u0020\u007f]/;

/** The longest name DNS has. */
const MAX_HOST_LENGTH = 253;

/**
 * Reads the authority of a request target.
 *
 * @param authority   as it came: `example.com:443`, `[::1]:80`
 * @param defaultPort used where the authority names no port
 * @returns the host as a URL normalises it (lower case, no brackets, no trailing dot) and the port; undefined for
 *   anything with userinfo or path, without a host, without a port where there is no default, or with one that can't be
 * @see https://url.spec.whatwg.org/#host-parsing
 */
export function readTarget(authority: string, defaultPort?: number): DialTarget | undefined {
  const groups = AUTHORITY.exec(authority)?.groups;
  const host = groups?.['host'] === undefined ? undefined : readHost(groups['host']);
  // Not URL.port: that is empty for the scheme's own port, which looks like none.
  const port = groups?.['port'] === undefined ? defaultPort : Number(groups['port']);
  if (host === undefined || port === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

/**
 * Reads a host.
 *
 * @param host a name, an IPv4 address in any spelling, or an IPv6 address in brackets
 * @returns the host as a URL normalises it, without brackets and trailing dot; undefined where it is none
 */
export const readHost = remembered((host: string): string | undefined => {
  if (MORE_THAN_A_HOST.test(host) || !URL.canParse(`http://${host}/`)) return undefined;
  const { hostname, port } = new URL(`http://${host}/`);
  const bare = hostname.replace(/^\[(?<address>.*)\]$/, '$<address>').replace(/\.$/, '');
  if (port !== '' || bare === '' || bare.endsWith('.') || bare.length > MAX_HOST_LENGTH) return undefined;
  return bare;
});

/** Writes a target as an authority: IPv6 addresses in brackets, the port always there. */
export function toAuthority(target: DialTarget): string {
  return `${bracketed(target.host)}:${target.port}`;
}

/** Writes a host as a URL has it: IPv6 addresses in brackets. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/**
 * Names the site a host belongs to: its registrable domain, or the host itself where it has none (IP addresses,
 * `localhost`, names of one label).
 *
 * @param host as `readTarget` gives it
 */
export const siteOf = remembered((host: string): string => {
  // Ours: names under a shared suffix (github.io, s3.amazonaws.com) are sites of their own. Their owners differ, and so
  // do the limits they set; the public suffix list has them in its private section.
  return getDomain(host, { allowPrivateDomains: true }) ?? host;
});
