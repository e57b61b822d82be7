// Reads the configuration of upstreams. What is wrong is said with credentials left out: these messages are printed
// and logged. Nothing is connected to here.

import { isIP, isIPv6 } from 'node:net';

import ipaddr from 'ipaddr.js';

import { readTarget, toAuthority } from './target-address.js';

/** One upstream as the user writes it: a URL, or a URL with what is known about it. */
export type UpstreamConfig = string | UpstreamConfigObject;

/** An upstream with what is known about it. */
export interface UpstreamConfigObject {
  /** `http://`, `socks5://` or `socks5h://` with `[user:pass@]host[:port]`, `local://ADDRESS` or `direct://`. */
  readonly url: string;
  /** What to call it. @default the id made from the URL */
  readonly name?: string | undefined;
  /** ISO 3166 code of two letters, either case. */
  readonly country?: string | undefined;
  /** The address targets see. @default the address of `local://`, else a word of the upstream's own */
  readonly outgoingIp?: string | undefined;
}

/** User and password of a proxy, percent-decoded. */
export interface UpstreamCredentials {
  readonly user: string;
  readonly password: string;
}

interface SpecBase {
  /** Unlike that of any other upstream in the list; without credentials. */
  readonly id: string;
  readonly name: string;
  readonly outgoingIp: string;
  readonly country: string | undefined;
}

/** A proxy to go through. */
export interface ProxySpec extends SpecBase {
  readonly kind: 'http' | 'socks5';
  readonly host: string;
  readonly port: number;
  readonly credentials: UpstreamCredentials | undefined;
}

/** An address of this machine to leave from. */
export interface LocalSpec extends SpecBase {
  readonly kind: 'local';
  readonly address: string;
}

/** This machine's own way to the network. */
export interface DirectSpec extends SpecBase {
  readonly kind: 'direct';
}

/** One upstream, read and filled up. */
export type UpstreamSpec = ProxySpec | LocalSpec | DirectSpec;

type Way =
  | Pick<ProxySpec, 'kind' | 'host' | 'port' | 'credentials'>
  | Pick<LocalSpec, 'kind' | 'address'>
  | Pick<DirectSpec, 'kind'>;

const FORMS = 'http://user:pass@host:port, socks5://user:pass@host:port, local://ADDRESS or direct://';
const PROXIES: ReadonlyMap<string, { readonly kind: ProxySpec['kind']; readonly port: number }> = new Map([
  ['http', { kind: 'http', port: 80 }],
  ['socks5', { kind: 'socks5', port: 1080 }],
  ['socks5h', { kind: 'socks5', port: 1080 }],
]);
const LATER: ReadonlySet<string> = new Set(['https', 'socks4', 'socks4a']);

/**
 * Reads one upstream.
 *
 * @throws Error that says what is wrong with the value and what to write instead, without user and password
 */
export function resolveUpstream(config: UpstreamConfig): UpstreamSpec {
  const { url, name, country, outgoingIp }: UpstreamConfigObject =
    typeof config === 'string' ? { url: config } : config;
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
  return {
    ...way,
    id,
    name: name ?? id,
    country: country?.toLowerCase(),
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

/** Shows an upstream URL without what may be secret in it; what may be anything is shown as `…`. */
export function redactUpstreamUrl(value: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0] ?? '';
  const at = value.lastIndexOf('@');
  const rest = value.slice(at === -1 ? scheme.length : at + 1);
  // Shown only if it is a host for sure; in `host:port:user:pass` and the like a password may be anywhere.
  const isHost = /^(?:\[[0-9a-f:.]*\]|[\w.-]*)(?::\d{1,5})?\/?$/i.test(rest);
  return `${scheme}${at === -1 ? '' : '***@'}${isHost ? rest : '…'}`;
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

function readWay(url: string): Way {
  const [scheme, rest] = splitScheme(url);
  if (LATER.has(scheme)) {
    throw new Error(`${redactUpstreamUrl(url)}: this version doesn't have ${scheme}:// upstreams yet; use ${FORMS}`);
  }
  const proxy = PROXIES.get(scheme);
  if (proxy !== undefined) return readProxy({ url, rest, ...proxy });
  if (scheme === 'local') return { kind: 'local', address: readLocalAddress(url, rest) };
  if (scheme !== 'direct') throw new Error(`${redactUpstreamUrl(url)} is no kind of upstream; write ${FORMS}`);
  if (rest !== '') throw new Error(`${redactUpstreamUrl(url)}: nothing follows direct://; write direct://`);
  return { kind: 'direct' };
}

function splitScheme(url: string): readonly [scheme: string, rest: string] {
  const end = url.indexOf('://');
  return end === -1 ? ['', url] : [url.slice(0, end).toLowerCase(), url.slice(end + 3)];
}

function readProxy(parts: { url: string; rest: string; kind: ProxySpec['kind']; port: number }): Way {
  const { url, rest, kind } = parts;
  const at = rest.lastIndexOf('@');
  const target = readTarget(rest.slice(at + 1).replace(/\/$/, ''), parts.port);
  if (target === undefined) {
    throw new Error(
      `${redactUpstreamUrl(url)} has no valid host and port; write ${splitScheme(url)[0]}://user:pass@host:port`,
    );
  }
  return { kind, ...target, credentials: at === -1 ? undefined : readCredentials(url, kind, rest.slice(0, at)) };
}

function readCredentials(url: string, kind: ProxySpec['kind'], userinfo: string): UpstreamCredentials | undefined {
  const colon = userinfo.indexOf(':');
  const user = decode(url, colon === -1 ? userinfo : userinfo.slice(0, colon));
  const password = decode(url, colon === -1 ? '' : userinfo.slice(colon + 1));
  if (kind === 'http' && user.includes(':')) {
    throw new Error(`${redactUpstreamUrl(url)}: a user of an HTTP proxy can't have a colon in it (RFC 7617)`);
  }
  if (kind === 'socks5' && [user, password].some((text) => Buffer.byteLength(text) > 255)) {
    throw new Error(`${redactUpstreamUrl(url)}: SOCKS5 has room for 255 bytes of user and of password (RFC 1929)`);
  }
  return user === '' && password === '' ? undefined : { user, password };
}

function decode(url: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The cause would quote the credentials.
    throw new Error(`${redactUpstreamUrl(url)}: user or password is not percent-encoded; write % as %25`);
  }
}

function readLocalAddress(url: string, rest: string): string {
  const address = rest.replace(/\/$/, '').replace(/^\[(?<inner>.*)\]$/, '$<inner>');
  if (isIP(address) === 0 || (isIPv6(address) && !rest.startsWith('['))) {
    throw new Error(
      `${redactUpstreamUrl(url)} needs an address of this machine; write local://192.0.2.1 or local://[2001:db8::1]`,
    );
  }
  return canonical(address);
}

function idOf(way: Way): string {
  if (way.kind === 'direct') return 'direct';
  return way.kind === 'local' ? way.address : toAuthority(way);
}

function canonical(address: string): string {
  return ipaddr.parse(address).toString();
}
