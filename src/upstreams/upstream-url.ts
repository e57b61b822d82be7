// Reads the configuration of upstreams. What is wrong is said with credentials left out: these messages are printed
// and logged. Nothing is connected to here.

import { isIP } from 'node:net';

import { splitLocalList } from './local-address.js';
import type { LocalWay, PrefixWay } from './local-address.js';
import { canonical } from './redact-url.js';
import { resolveCredentials } from './sticky.js';
import type { StickyOptions, StickySpec } from './sticky.js';
import { toAuthority } from './target-address.js';
import { FORMS, readWay } from './upstream-way.js';
import type { DirectWay, ProxyWay, Way } from './upstream-way.js';
import type { VendorName } from './vendors.js';

/** One entry of the configuration: a URL, or a URL with what is known about it. */
export type UpstreamConfig = string | UpstreamConfigObject;

/** An upstream with what is known about it. */
export interface UpstreamConfigObject {
  /**
   * `http://`, `https://`, `socks5://`, `socks5h://` with `[user:pass@]host[:port]`, `socks4://[user@]host[:port]`,
   * `local://` with addresses and prefixes, commas between, or `direct://`. With `{session}` in the user or password
   * each session of the gateway gets a sticky one of the vendor's.
   */
  readonly url: string;
  /** What to call it. @default the id made from the URL */
  readonly name?: string | undefined;
  /** ISO 3166 code of two letters, either case. With `vendor`, or as `{country}` in the URL, it is asked for. */
  readonly country?: string | undefined;
  /** State it leaves from, 1 to 50 characters, either case. */
  readonly state?: string | undefined;
  /** City it leaves from, 1 to 50 characters, either case. */
  readonly city?: string | undefined;
  /** The address targets see. @default the address of `local://`, else a word of the upstream's own */
  readonly outgoingIp?: string | undefined;
  /** Whether the certificate of an `https://` proxy is taken unverified. @default false */
  readonly insecure?: boolean | undefined;
  /** Its share of new sessions and of requests without one, above 0; one of 2 gets twice as much as one of 1. @default 1 */
  readonly weight?: number | undefined;
  /** Whose proxy it is: its sticky sessions are then named as that vendor wants it. */
  readonly vendor?: VendorName | undefined;
  /** What the vendor wants `{session}` to be, and how long it keeps one; with `vendor`, `minutes` alone. */
  readonly sticky?: StickyOptions | undefined;
}

interface SpecBase {
  /** Unlike that of any other upstream in the list; without credentials. */
  readonly id: string;
  readonly name: string;
  readonly outgoingIp: string;
  readonly country: string | undefined;
  readonly state: string | undefined;
  readonly city: string | undefined;
  readonly weight: number;
}

/** A proxy to go through. */
export interface ProxySpec extends SpecBase, Omit<ProxyWay, 'isTemplate'> {
  /** Whether its certificate is taken unverified; of `https` only. */
  readonly insecure: boolean;
  /** Set: the credentials are templates, to be filled in with the name of a sticky session. */
  readonly sticky: StickySpec | undefined;
  /** The field of its answers that tells the outgoing IP, in lower case. */
  readonly tellsOutgoingIp: string | undefined;
}

/** An address of this machine to leave from. */
export interface LocalSpec extends SpecBase, LocalWay {}

/** Addresses of this machine to leave from, of which each session gets one. */
export interface PrefixSpec extends SpecBase, PrefixWay {}

/** This machine's own way to the network. */
export interface DirectSpec extends SpecBase, DirectWay {}

/** One upstream, read and filled up. */
export type UpstreamSpec = ProxySpec | LocalSpec | PrefixSpec | DirectSpec;

/**
 * Reads one upstream.
 *
 * @throws Error that says what is wrong with the value and what to write instead, without user and password
 */
export function resolveUpstream(config: UpstreamConfig): UpstreamSpec {
  const given: UpstreamConfigObject = typeof config === 'string' ? { url: config } : config;
  const { url, name, outgoingIp } = given;
  if (url.trim() === '') throw new Error(`The upstream URL is empty; write ${FORMS}`);
  const way = readWay(url.trim());
  const id = idOf(way);
  if (name?.trim() === '') throw new Error(`${id} has an empty name; leave it out or give one`);
  const labels = readLabels(id, given);
  const known = readWayOf(id, way, { ...given, country: labels.country });
  const isOneOfMany = known.kind === 'prefix' || ('sticky' in known && known.sticky !== undefined);
  return {
    ...known,
    id,
    name: name ?? id,
    ...labels,
    weight: readWeight(id, given.weight),
    // Ours: where it isn't known, the outgoing IP is a word of the upstream's own. Known, not assumed: two proxies
    // that might share an exit keep clocks of their own until somebody says so.
    outgoingIp: outgoingIp === undefined ? id : readOutgoingIp(id, outgoingIp, isOneOfMany),
  };
}

/**
 * Reads a list of upstreams. An entry with several local addresses is several upstreams. Where several would have one
 * id, the later ones get `#2`, `#3`.
 *
 * @throws Error as `resolveUpstream`, with the place in the list; or that two upstreams have one name
 */
export function resolveUpstreams(configs: readonly UpstreamConfig[]): readonly UpstreamSpec[] {
  const seen = new Map<string, number>();
  const names = new Set<string>();
  return configs.flatMap(resolveAt).map((one) => {
    const spec = numbered(one, seen);
    if (names.has(spec.name)) throw new Error(`Two upstreams are named ${spec.name}; give each a name of its own`);
    names.add(spec.name);
    return spec;
  });
}

/**
 * Makes sure of a URL alone, before it is known what else is said of the upstream.
 *
 * @throws Error as `resolveUpstream`
 */
export function checkUpstreamUrl(url: string): void {
  if (url.trim() === '') throw new Error(`The upstream URL is empty; write ${FORMS}`);
  for (const one of splitLocalList(url)) readWay(one.trim());
}

function resolveAt(config: UpstreamConfig, index: number): readonly UpstreamSpec[] {
  try {
    return split(config).map(resolveUpstream);
  } catch (error) {
    throw new Error(`Upstream ${index + 1}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Takes an entry with several addresses apart. Ours: a name they have in common goes before each one's address. */
function split(config: UpstreamConfig): readonly UpstreamConfig[] {
  const given: UpstreamConfigObject = typeof config === 'string' ? { url: config } : config;
  const urls = splitLocalList(given.url);
  if (urls.length === 1) return [config];
  return urls.map((url) => {
    const name = given.name === undefined ? undefined : `${given.name}/${idOf(readWay(url))}`;
    return { ...given, url, name };
  });
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

type Known = Omit<ProxySpec, keyof SpecBase> | LocalWay | PrefixWay | DirectWay;

function readWayOf(id: string, way: Way, given: UpstreamConfigObject): Known {
  const { insecure = false, vendor, sticky, country } = given;
  if (insecure && way.kind !== 'https') {
    throw new Error(
      `${id}: insecure is about the certificate of an https:// proxy, and this is none; for targets there is targets.insecure`,
    );
  }
  if (way.kind === 'local' || way.kind === 'prefix' || way.kind === 'direct') {
    if (vendor === undefined && sticky === undefined) return way;
    throw new Error(`${id}: vendor and sticky are about proxies, and this is none; leave them out`);
  }
  const { kind, host, port } = way;
  return { kind, host, port, insecure, ...resolveCredentials(id, way, { vendor, sticky, country }) };
}

function readLabels(
  id: string,
  { country, state, city }: UpstreamConfigObject,
): Pick<SpecBase, 'country' | 'state' | 'city'> {
  if (country !== undefined && !/^[a-z]{2}$/i.test(country)) {
    throw new Error(`${id}: country ${country} is not an ISO 3166 code of two letters such as us`);
  }
  return {
    country: country?.toLowerCase(),
    state: readLabel(id, 'state', state),
    city: readLabel(id, 'city', city),
  };
}

function readLabel(id: string, what: 'state' | 'city', given: string | undefined): string | undefined {
  const label = given?.trim().toLowerCase();
  if (label !== undefined && (label.length < 1 || label.length > 50)) {
    throw new Error(`${id}: the ${what} has ${label.length} characters; write 1 to 50, or leave it out`);
  }
  return label;
}

function readOutgoingIp(id: string, outgoingIp: string, isOneOfMany: boolean): string {
  if (isIP(outgoingIp) === 0) throw new Error(`${id}: outgoingIp ${outgoingIp} is not an IP address`);
  if (isOneOfMany) throw new Error(`${id}: outgoingIp is one address, and this upstream has many; leave it out`);
  return canonical(outgoingIp);
}

function readWeight(id: string, weight = 1): number {
  if (Number.isFinite(weight) && weight > 0) return weight;
  throw new Error(`${id}: weight ${weight} is not a number above 0`);
}

function idOf(way: Way): string {
  if (way.kind === 'direct') return 'direct';
  if (way.kind === 'prefix') return `${way.network}/${way.bits}`;
  return way.kind === 'local' ? way.address : toAuthority(way);
}
