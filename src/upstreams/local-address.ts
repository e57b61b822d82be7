// Reads what stands behind local://: addresses of this machine and prefixes of them. Whether the machine has them shows
// when one is left from.

import { isIP, isIPv6 } from 'node:net';

import { firstOf } from './address-prefix.js';
import type { AddressPrefix } from './address-prefix.js';
import { canonical } from './redact-url.js';

/** An address of this machine to leave from. */
export interface LocalWay {
  readonly kind: 'local';
  readonly address: string;
}

/** Addresses of this machine to leave from, of which each session gets one. */
export interface PrefixWay extends AddressPrefix {
  readonly kind: 'prefix';
}

const PLACE = /^(?:\[(?<inner>[^[\]]*)\]|(?<bare>[^[\]/]*))(?:\/(?<bits>.*))?$/;
const WRITE = 'write local://192.0.2.1 or local://[2001:db8::1]';

/** Takes a list of addresses apart: one `local://` URL each. All else stays as it is. */
export function splitLocalList(url: string): readonly string[] {
  const rest = /^\s*local:\/\/(?<rest>.*)$/is.exec(url)?.groups?.['rest'];
  return rest === undefined ? [url] : rest.split(',').map((part) => `local://${part.trim()}`);
}

/**
 * Reads an address or a prefix. Brackets around an IPv6 address may be left out: a port can't follow here.
 *
 * @param shown the URL as messages may show it
 * @param rest  what stands behind `local://`
 * @throws Error that says what is wrong and what to write
 */
export function readLocalWay(shown: string, rest: string): LocalWay | PrefixWay {
  const { inner, bare, bits } = PLACE.exec(rest.replace(/\/$/, ''))?.groups ?? {};
  const address = inner ?? bare ?? '';
  if (address.includes('%')) {
    throw new Error(`${shown}: an address with a zone (%eth0) is one of the network card's own; ${WRITE}`);
  }
  if (isIP(address) === 0 || (inner !== undefined && !isIPv6(inner))) {
    throw new Error(`${shown} needs an address of this machine; ${WRITE}`);
  }
  const only = { kind: 'local', address: canonical(address) } as const;
  return bits === undefined ? only : readPrefix({ shown, only, bits });
}

function readPrefix({ shown, only, bits }: { shown: string; only: LocalWay; bits: string }): LocalWay | PrefixWay {
  const { address } = only;
  const isV6 = isIPv6(address);
  const all = isV6 ? 128 : 32;
  const length = /^\d{1,3}$/.test(bits) ? Number(bits) : 0;
  if (length < 1 || length > all) {
    throw new Error(`${shown}: the length of a prefix of IPv${isV6 ? 6 : 4} addresses is a number from 1 to ${all}`);
  }
  if (length === all) return only;
  const prefix = { network: address, bits: length };
  const first = firstOf(prefix);
  if (first !== address) {
    throw new Error(
      `${shown} is not where its prefix begins; write ${first}/${bits}, or ${address} for that one alone`,
    );
  }
  return { kind: 'prefix', ...prefix };
}
