// Which names the certificate of a host carries, and which hosts may share one. Knows nothing of keys and encodings.

import { isIP, isIPv6 } from 'node:net';

import { GatewayError } from '../../sessions/errors.js';
import { readHost, siteOf } from '../../upstreams/target-address.js';
import { showValue } from '../option-faults.js';

/** A name as a certificate has it: a DNS name in its ASCII form, maybe with `*.` in front, or an IP address. */
export interface SubjectName {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

/** The names of one certificate; `key` is the same for all hosts that share it. */
export interface CertificateNames {
  readonly key: string;
  readonly names: readonly SubjectName[];
}

/**
 * What a name may be made of: letters, digits, hyphens, and underscores, which DNS and browsers allow. Nothing else
 * that a URL takes for a host: a `*` would be a wildcard.
 */
const DNS_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/** Names that OpenSSL accepts under a wildcard, as the part below it and as the part that it covers: no underscores. */
const WILDCARD_FIT = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/**
 * Names the certificate of a host. Hosts with the same parent share one, `*.parent` and `parent`, where clients accept
 * that: the parent is a registrable domain or below one.
 *
 * @param host a name, in Unicode or ASCII, or an IP address, with or without brackets
 * @throws GatewayError `bad_request` if no certificate can have that name
 */
export function namesOfHost(host: string): CertificateNames {
  const name = readName(host);
  const parent = name.type === 'dns' ? sharedParent(name.value) : undefined;
  if (parent === undefined) return { key: name.value, names: [name] };
  const wildcard = `*.${parent}`;
  return {
    key: wildcard,
    names: [
      { type: 'dns', value: wildcard },
      { type: 'dns', value: parent },
    ],
  };
}

/**
 * Names a certificate that is for exactly these hosts.
 *
 * @throws GatewayError `bad_request` if there is none, or no certificate can have one of them
 */
export function namesOfHosts(hosts: readonly string[]): CertificateNames {
  if (hosts.length === 0) throw new GatewayError('bad_request', 'A certificate needs one name or more');
  const names = new Map(hosts.map((host) => readName(host)).map((name) => [name.value, name]));
  return { key: [...names.keys()].join(','), names: [...names.values()] };
}

function readName(host: string): SubjectName {
  const value = readHost(isIPv6(host) ? `[${host}]` : host);
  if (value !== undefined && isIP(value) !== 0) return { type: 'ip', value };
  if (value !== undefined && DNS_NAME.test(value)) return { type: 'dns', value };
  throw new GatewayError('bad_request', `${showValue(host)} is no host that a certificate can be made for`);
}

/**
 * The parent whose wildcard covers a name. A registrable domain goes with the names right below it, so that
 * example.com and www.example.com share.
 *
 * Ours: shared suffixes (github.io) count as public ones, as they do for sites. Their names have different owners.
 */
function sharedParent(name: string): string | undefined {
  if (!WILDCARD_FIT.test(name)) return undefined;
  // Only below a registrable domain is it the site of what is below it; below a public suffix each name is its own.
  if (siteOf(`x.${name}`) === name) return name;
  return siteOf(name) === name ? undefined : name.slice(name.indexOf('.') + 1);
}
