// Reads the URL of an upstream: which way out it stands for. What is wrong is said with credentials left out.

import { isIP, isIPv6 } from 'node:net';

import ipaddr from 'ipaddr.js';

import { readTarget } from './target-address.js';

/** User and password of a proxy, percent-decoded. */
export interface UpstreamCredentials {
  readonly user: string;
  readonly password: string;
}

/** A proxy to go through. */
export interface ProxyWay {
  /** What is spoken to it; `https` is `http` over TLS. */
  readonly kind: 'http' | 'https' | 'socks5';
  readonly host: string;
  readonly port: number;
  readonly credentials: UpstreamCredentials | undefined;
}

/** An address of this machine to leave from. */
export interface LocalWay {
  readonly kind: 'local';
  readonly address: string;
}

/** This machine's own way to the network. */
export interface DirectWay {
  readonly kind: 'direct';
}

/** What an upstream URL says. */
export type Way = ProxyWay | LocalWay | DirectWay;

/** The URLs there are, as part of a sentence. */
export const FORMS =
  'http://user:pass@host:port, https://user:pass@host:port, socks5://user:pass@host:port, local://ADDRESS or direct://';
const PROXIES: ReadonlyMap<string, { readonly kind: ProxyWay['kind']; readonly port: number }> = new Map([
  ['http', { kind: 'http', port: 80 }],
  ['https', { kind: 'https', port: 443 }],
  ['socks5', { kind: 'socks5', port: 1080 }],
  ['socks5h', { kind: 'socks5', port: 1080 }],
]);
const LATER: ReadonlySet<string> = new Set(['socks4', 'socks4a']);

/**
 * Reads the URL of an upstream.
 *
 * @throws Error that says what is wrong with it and what to write instead, without user and password
 */
export function readWay(url: string): Way {
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

function readProxy(parts: { url: string; rest: string; kind: ProxyWay['kind']; port: number }): Way {
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

function readCredentials(url: string, kind: ProxyWay['kind'], userinfo: string): UpstreamCredentials | undefined {
  const colon = userinfo.indexOf(':');
  const user = decode(url, colon === -1 ? userinfo : userinfo.slice(0, colon));
  const password = decode(url, colon === -1 ? '' : userinfo.slice(colon + 1));
  if (kind !== 'socks5' && user.includes(':')) {
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

/** Shows an upstream URL without what may be secret in it; what may be anything is shown as `…`. */
export function redactUpstreamUrl(value: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0] ?? '';
  const at = value.lastIndexOf('@');
  const rest = value.slice(at === -1 ? scheme.length : at + 1);
  // Shown only if it is a host for sure; in `host:port:user:pass` and the like a password may be anywhere.
  const isHost = /^(?:\[[0-9a-f:.]*\]|[\w.-]*)(?::\d{1,5})?\/?$/i.test(rest);
  return `${scheme}${at === -1 ? '' : '***@'}${isHost ? rest : '…'}`;
}

/** Writes an address in its one canonical form. */
export function canonical(address: string): string {
  return ipaddr.parse(address).toString();
}
