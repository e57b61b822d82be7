// Tells public addresses from the rest, and what else an address may stand for. Names are not looked at.

import ipaddr from 'ipaddr.js';
import type { IPv4, IPv6 } from 'ipaddr.js';

import { remembered } from './remembered.js';

/** Everything that has been given out for use on the Internet: https://www.iana.org/assignments/ipv6-address-space */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** NAT64, RFC 6052: on a network with DNS64 every IPv4 site is looked up to such an address. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/** Forms that end in an IPv4 address, some of which a machine or a router near it may take for that address. */
const ENDING_IN_IPV4 = ['::ffff:0:0/96', '::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48'].map((range) =>
  ipaddr.IPv6.parseCIDR(range),
);

const WORDS: Readonly<Record<string, string>> = {
  broadcast: 'a broadcast',
  carrierGradeNat: 'a carrier-grade NAT',
  deprecatedSiteLocal: 'a site-local',
  ipv4Mapped: 'an IPv4-mapped',
  linkLocal: 'a link-local',
  loopback: 'a loopback',
  multicast: 'a multicast',
  private: 'a private',
  rfc6052: 'a NAT64',
  teredo: 'a Teredo',
  uniqueLocal: 'a unique local',
  unspecified: 'an unspecified',
  '6to4': 'a 6to4',
};

/**
 * Says why an address that a request names is not public.
 *
 * @returns words that fit before "address", such as `a loopback`; undefined: it is public, or no address at all
 */
export const describeLiteral = remembered((address: string): string | undefined => {
  if (!ipaddr.isValid(address)) return undefined;
  const parsed = ipaddr.parse(address);
  // Ours: an IPv4 address inside an IPv6 one is refused whole, public or not: nobody names a public target so.
  return isPublic(parsed) ? undefined : (WORDS[parsed.range()] ?? 'a reserved');
});

/**
 * Says why an address that a name was looked up to is not public. One that carries an IPv4 address is judged by that:
 * DNS64 answers so for every IPv4 site.
 *
 * @returns as `describeLiteral`
 */
export function describeResolved(address: string): string | undefined {
  if (!ipaddr.isValid(address)) return 'an unknown';
  const parsed = ipaddr.parse(address);
  const carried = isIpv6(parsed) ? carriedIpv4(parsed) : undefined;
  return describeLiteral(carried === undefined ? address : carried.toString());
}

/**
 * Lists the addresses a connection to this one may end at on this machine: itself, the IPv4 address inside it, and
 * loopback for the unspecified address.
 */
export const standsFor = remembered((address: string): readonly string[] => {
  if (!ipaddr.isValid(address)) return [address];
  const parsed = ipaddr.parse(address);
  const inner = isIpv6(parsed) ? innerIpv4(parsed) : [];
  const all = [parsed, ...inner];
  const loopback = all.some((one) => one.range() === 'unspecified') ? ['127.0.0.1', '::1'] : [];
  return [...all.map(String), ...loopback];
});

function isPublic(address: IPv4 | IPv6): boolean {
  return address.range() === 'unicast' && (!isIpv6(address) || address.match(GLOBAL_UNICAST));
}

/** The IPv4 address a looked-up IPv6 address leads to for sure, through the system, a NAT64 or a 6to4 router. */
function carriedIpv4(address: IPv6): IPv4 | undefined {
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (address.match(NAT64)) return ipv4At(address, 12);
  return address.range() === '6to4' ? ipv4At(address, 2) : undefined;
}

function innerIpv4(address: IPv6): IPv4[] {
  if (address.range() === '6to4') return [ipv4At(address, 2)];
  return ENDING_IN_IPV4.some((range) => address.match(range)) ? [ipv4At(address, 12)] : [];
}

function ipv4At(address: IPv6, offset: number): IPv4 {
  return new ipaddr.IPv4(address.toByteArray().slice(offset, offset + 4));
}

function isIpv6(address: IPv4 | IPv6): address is IPv6 {
  return address.kind() === 'ipv6';
}
