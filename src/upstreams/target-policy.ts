// Decides which targets may be contacted: public ones, never the gateway itself. A rule on names alone would be
// walked around by a name that resolves to a private address, so it is kept again where names are looked up.

import dns from 'node:dns';
import type { LookupAddress, LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

import { GatewayError } from '../sessions/errors.js';
import { describeLiteral, describeResolved, standsFor } from './address-ranges.js';
import { bracketed, readHost } from './target-address.js';

/** Looks a name up; `dns.lookup` is one. */
export type DnsLookup = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** What a policy depends on. */
export interface TargetPolicyOptions {
  /** Lets private, loopback, link-local and other addresses that aren't public be contacted. */
  readonly allowPrivate: boolean;
  /** Whether the gateway itself listens there. Asked with addresses in canonical spelling; refused in any case. */
  readonly isOwnAddress: (ip: string, port: number) => boolean;
  /** Looks names up. @default dns.lookup */
  readonly dnsLookup?: DnsLookup | undefined;
}

/** Which targets may be contacted. */
export interface TargetPolicy {
  /**
   * Says why a target must not be contacted, before anything is dialled. Names other than `localhost` pass: what they
   * resolve to is for `lookup` where we resolve them, and for the proxy where it does.
   *
   * @returns a sentence for the client, who is to be told `domain_forbidden`; undefined: go on
   */
  refusal(host: string, port: number): string | undefined;
  /**
   * Gives the name lookup of a connection to this port. Of the addresses found it hands out those that may be
   * contacted, so that none of the others is dialled, whichever of them the caller tries; if none is left, the
   * connection fails with a `domain_forbidden` GatewayError.
   */
  lookup(port: number): LookupFunction;
}

const LIFT = 'this gateway contacts public addresses only, unless started with --allow-private';

/** Creates the policy of a gateway. */
export function createTargetPolicy(options: TargetPolicyOptions): TargetPolicy {
  const { allowPrivate, isOwnAddress, dnsLookup = dns.lookup } = options;
  const isOwn = (address: string, port: number) => standsFor(address).some((ip) => isOwnAddress(ip, port));

  function refusal(host: string, port: number): string | undefined {
    const normal = readHost(bracketed(host.replace(/^\[|\]$/g, '')));
    if (normal === undefined) return `${host} is not a valid host`;
    const local = isLocalhost(normal);
    // `localhost` is these two by RFC 6761 section 6.3, whoever resolves it.
    if ((local ? ['127.0.0.1', '::1'] : [normal]).some((ip) => isOwn(ip, port))) return ownAddress(host, port);
    const what = local ? 'a loopback' : describeLiteral(normal);
    return what === undefined || allowPrivate ? undefined : `${host} is ${what} address; ${LIFT}`;
  }

  function refusalOfResolved(host: string, address: string, port: number): string | undefined {
    if (isOwn(address, port)) return ownAddress(host, port);
    const what = allowPrivate ? undefined : describeResolved(address);
    // Without the address: a client has no business learning what names mean inside this network.
    return what === undefined ? undefined : `${host} resolves to ${what} address; ${LIFT}`;
  }

  function lookup(port: number): LookupFunction {
    return (hostname, lookupOptions, callback) => {
      dnsLookup(hostname, { ...lookupOptions, all: true }, (error, found) => {
        if (error !== null) return callback(error, []);
        const allowed = found.filter(({ address }) => refusalOfResolved(hostname, address, port) === undefined);
        const [first] = allowed;
        if (first === undefined) return callback(noneLeft(hostname, found, port), []);
        if (lookupOptions.all === true) return callback(null, allowed);
        return callback(null, first.address, first.family);
      });
    };
  }

  function noneLeft(hostname: string, found: readonly LookupAddress[], port: number): GatewayError {
    const [first] = found;
    if (first === undefined) return new GatewayError('nxdomain', `${hostname} has no address`);
    return new GatewayError('domain_forbidden', refusalOfResolved(hostname, first.address, port) ?? LIFT);
  }

  return { refusal, lookup };
}

function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function ownAddress(host: string, port: number): string {
  return `${bracketed(host)}:${port} is this gateway itself; a request through it to itself would never end`;
}
