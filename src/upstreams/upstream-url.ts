// Reads the configuration of upstreams. What is wrong is said with credentials left out: these messages are printed
// and logged. Nothing is connected to here.

import { isIP } from 'node:net';

import { toAuthority } from './target-address.js';
import { canonical, FORMS, readWay } from './upstream-way.js';
import type { DirectWay, LocalWay, ProxyWay, Way } from './upstream-way.js';

/** One upstream as the user writes it: a URL, or a URL with what is known about it. */
export type UpstreamConfig = string | UpstreamConfigObject;

/** An upstream with what is known about it. */
export interface UpstreamConfigObject {
  /** `http://`, `https://`, `socks5://` or `socks5h://` with `[user:pass@]host[:port]`, `local://ADDRESS` or `direct://`. */
  readonly url: string;
  /** What to call it. @default the id made from the URL */
  readonly name?: string | undefined;
  /** ISO 3166 code of two letters, either case. */
  readonly country?: string | undefined;
  /** State it leaves from, 1 to 50 characters, either case. */
  readonly state?: string | undefined;
  /** City it leaves from, 1 to 50 characters, either case. */
  readonly city?: string | undefined;
  /** The address targets see. @default the address of `local://`, else a word of the upstream's own */
  readonly outgoingIp?: string | undefined;
  /** Whether the certificate of an `https://` proxy is taken unverified. @default false */
  readonly insecure?: boolean | undefined;
}

interface SpecBase {
  /** Unlike that of any other upstream in the list; without credentials. */
  readonly id: string;
  readonly name: string;
  readonly outgoingIp: string;
  readonly country: string | undefined;
  readonly state: string | undefined;
  readonly city: string | undefined;
}

/** A proxy to go through. */
export interface ProxySpec extends SpecBase, ProxyWay {
  /** Whether its certificate is taken unverified; of `https` only. */
  readonly insecure: boolean;
}

/** An address of this machine to leave from. */
export interface LocalSpec extends SpecBase, LocalWay {}

/** This machine's own way to the network. */
export interface DirectSpec extends SpecBase, DirectWay {}

/** One upstream, read and filled up. */
export type UpstreamSpec = ProxySpec | LocalSpec | DirectSpec;

/**
 * Reads one upstream.
 *
 * @throws Error that says what is wrong with the value and what to write instead, without user and password
 */
export function resolveUpstream(config: UpstreamConfig): UpstreamSpec {
  const given: UpstreamConfigObject = typeof config === 'string' ? { url: config } : config;
  const { url, name, country, outgoingIp, insecure = false } = given;
  if (url.trim() === '') throw new Error(`The upstream URL is empty; write ${FORMS}`);
  const way = readWay(url.trim());
  const id = idOf(way);
  if (name?.trim() === '') throw new Error(`${id} has an empty name; leave it out or give one`);
  if (country !== undefined && !/^[a-z]{2}$/i.test(country)) {
    throw new Error(`${id}: country ${country} is not an ISO 3166 code of two letters such as us`);
  }
  if (outgoingIp !== undefined && isIP(outgoingIp) === 0) {
    throw new Error(`${id}: outgoingIp ${outgoingIp} is not an IP address`);
  }
  if (insecure && way.kind !== 'https') {
    throw new Error(
      `${id}: insecure is about the certificate of an https:// proxy, and this is none; for targets there is targets.insecure`,
    );
  }
  return {
    ...(way.kind === 'local' || way.kind === 'direct' ? way : { ...way, insecure }),
    id,
    name: name ?? id,
    country: country?.toLowerCase(),
    state: readLabel(id, 'state', given.state),
    city: readLabel(id, 'city', given.city),
    // Ours: where it isn't known, the outgoing IP is a word of the upstream's own. Known, not assumed: two proxies
    // that might share an exit keep clocks of their own until somebody says so.
    outgoingIp: outgoingIp === undefined ? id : canonical(outgoingIp),
  };
}

/**
 * Reads a list of upstreams. Where several would have one id, the later ones get `#2`, `#3`.
 *
 * @throws Error as `resolveUpstream`, with the place in the list; or that two upstreams have one name
 */
export function resolveUpstreams(configs: readonly UpstreamConfig[]): readonly UpstreamSpec[] {
  const seen = new Map<string, number>();
  const names = new Set<string>();
  return configs.map((config, index) => {
    const spec = numbered(resolveAt(config, index), seen);
    if (names.has(spec.name)) throw new Error(`Two upstreams are named ${spec.name}; give each a name of its own`);
    names.add(spec.name);
    return spec;
  });
}

function resolveAt(config: UpstreamConfig, index: number): UpstreamSpec {
  try {
    return resolveUpstream(config);
  } catch (error) {
    throw new Error(`Upstream ${index + 1}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function numbered(spec: UpstreamSpec, seen: Map<string, number>): UpstreamSpec {
  const times = (seen.get(spec.id) ?? 0) + 1;
  seen.set(spec.id, times);
  if (times === 1) return spec;
  const id = `${spec.id}#${times}`;
  // One address of this machine stays one outgoing IP, however often it is listed.
  const sharesIp = spec.kind === 'local' || spec.kind === 'direct' || spec.outgoingIp !== spec.id;
  return { ...spec, id, name: spec.name === spec.id ? id : spec.name, outgoingIp: sharesIp ? spec.outgoingIp : id };
}

function readLabel(id: string, what: 'state' | 'city', given: string | undefined): string | undefined {
  const label = given?.trim().toLowerCase();
  if (label !== undefined && (label.length < 1 || label.length > 50)) {
    throw new Error(`${id}: the ${what} has ${label.length} characters; write 1 to 50, or leave it out`);
  }
  return label;
}

function idOf(way: Way): string {
  if (way.kind === 'direct') return 'direct';
  return way.kind === 'local' ? way.address : toAuthority(way);
}
