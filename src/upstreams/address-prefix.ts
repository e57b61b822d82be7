// Prefixes of addresses as numbers: where one begins, what is in it, and which of its addresses a seed draws. That they
// are addresses of this machine is not known here.

import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';

import ipaddr from 'ipaddr.js';

/** All addresses that begin with the same bits. */
export interface AddressPrefix {
  /** Its first address, in canonical form. */
  readonly network: string;
  /** How many bits they have in common, less than an address has. */
  readonly bits: number;
}

/** The first address of the prefix that an address is in; `network` may be any of its addresses. */
export function firstOf({ network, bits }: AddressPrefix): string {
  const hostBits = BigInt(widthOf(network) - bits);
  return toAddress((toNumber(network) >> hostBits) << hostBits, network);
}

/** Whether an address is in a prefix. */
export function isInPrefix(address: string, { network, bits }: AddressPrefix): boolean {
  return (
    ipaddr.isValid(address) && isIPv4(address) === isIPv4(network) && firstOf({ network: address, bits }) === network
  );
}

/**
 * Makes the draw of a prefix: each seed gets one of its addresses, the same one each time, and all are equally likely.
 * The first of a prefix is never drawn, nor the last of IPv4 ones, for they name the network and everybody in it (RFC
 * 4291 section 2.6.1 for IPv6: all routers); of two addresses both are (RFC 3021, RFC 6164).
 */
export function createAddressDraw({ network, bits }: AddressPrefix): (seed: string) => string {
  const hostBits = widthOf(network) - bits;
  const isPair = hostBits < 2;
  const reserved = isPair ? 0n : isIPv4(network) ? 2n : 1n;
  const count = (1n << BigInt(hostBits)) - reserved;
  const first = toNumber(network) + (isPair ? 0n : 1n);
  return (seed) => toAddress(first + (hashOf(seed) % count), network);
}

function hashOf(seed: string): bigint {
  return BigInt(`0x${createHash('sha256').update(seed).digest('hex')}`);
}

function widthOf(address: string): number {
  return isIPv4(address) ? 32 : 128;
}

function toNumber(address: string): bigint {
  return BigInt(`0x${Buffer.from(ipaddr.parse(address).toByteArray()).toString('hex')}`);
}

function toAddress(value: bigint, like: string): string {
  const hex = value.toString(16).padStart(widthOf(like) / 4, '0');
  return ipaddr.fromByteArray([...Buffer.from(hex, 'hex')]).toString();
}
