// Reads the URL of an upstream: which way out it stands for. What is wrong is said with credentials left out.

import { readLocalWay } from './local-address.js';
import type { LocalWay, PrefixWay } from './local-address.js';
import { redactUpstreamUrl } from './redact-url.js';
import { hasPlaceholders, withoutPlaceholders } from './sticky-template.js';
import { readTarget } from './target-address.js';

/** User and password of a proxy. */
export interface UpstreamCredentials {
  readonly user: string;
  readonly password: string;
}

/** A proxy to go through. */
export interface ProxyWay {
  /** What is spoken to it; `https` is `http` over TLS. */
  readonly kind: 'http' | 'https' | 'socks4' | 'socks5';
  readonly host: string;
  readonly port: number;
  /** Percent-decoded, unless they are templates. */
  readonly credentials: UpstreamCredentials | undefined;
  /** Whether the credentials are templates: as they are written, with placeholders in them. */
  readonly isTemplate: boolean;
}

/** This machine's own way to the network. */
export interface DirectWay {
  readonly kind: 'direct';
}

/** What an upstream URL says. */
export type Way = ProxyWay | LocalWay | PrefixWay | DirectWay;

/** The URLs there are, as part of a sentence. */
export const FORMS =
  'http://user:pass@host:port, https://user:pass@host:port, socks5://user:pass@host:port, socks4://user@host:port, ' +
  'local://ADDRESS or direct://';
const PROXIES: ReadonlyMap<string, { readonly kind: ProxyWay['kind']; readonly port: number }> = new Map([
  ['http', { kind: 'http', port: 80 }],
  ['https', { kind: 'https', port: 443 }],
  ['socks4', { kind: 'socks4', port: 1080 }],
  ['socks4a', { kind: 'socks4', port: 1080 }],
  ['socks5', { kind: 'socks5', port: 1080 }],
  ['socks5h', { kind: 'socks5', port: 1080 }],
]);

/**
 * Reads the URL of an upstream.
 *
 * @throws Error that says what is wrong with it and what to write instead, without user and password
 */
export function readWay(url: string): Way {
  const [scheme, rest] = splitScheme(url);
  const proxy = PROXIES.get(scheme);
  if (proxy !== undefined) return readProxy({ url, rest, ...proxy });
  if (scheme === 'local') return readLocalWay(redactUpstreamUrl(url), rest);
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
  const authority = rest.slice(at + 1);
  if (hasPlaceholders(authority)) {
    throw new Error(`${redactUpstreamUrl(url)}: {session} and its kin stand in the user or the password, nowhere else`);
  }
  const target = readTarget(authority.replace(/\/$/, ''), parts.port);
  if (target === undefined) {
    throw new Error(
      `${redactUpstreamUrl(url)} has no valid host and port; write ${splitScheme(url)[0]}://user:pass@host:port`,
    );
  }
  return { kind, ...target, ...readUserinfo({ url, kind, userinfo: at === -1 ? '' : rest.slice(0, at) }) };
}

function readUserinfo(parts: {
  url: string;
  kind: ProxyWay['kind'];
  userinfo: string;
}): Pick<ProxyWay, 'credentials' | 'isTemplate'> {
  const { url, kind, userinfo } = parts;
  const colon = userinfo.indexOf(':');
  const user = colon === -1 ? userinfo : userinfo.slice(0, colon);
  const password = colon === -1 ? '' : userinfo.slice(colon + 1);
  const isTemplate = hasPlaceholders(userinfo);
  const shown = redactUpstreamUrl(url);
  const read = (text: string) => decode(shown, isTemplate ? withoutPlaceholders(shown, text) : text);
  const decoded = { user: read(user), password: read(password) };
  checkCredentials(shown, kind, decoded);
  const isEmpty = user === '' && password === '';
  return { credentials: isEmpty ? undefined : isTemplate ? { user, password } : decoded, isTemplate };
}

/**
 * Makes sure that the proxy can be told these credentials.
 *
 * @param shown what messages call the upstream
 * @throws Error that doesn't show them
 */
export function checkCredentials(shown: string, kind: ProxyWay['kind'], { user, password }: UpstreamCredentials): void {
  if ((kind === 'http' || kind === 'https') && user.includes(':')) {
    throw new Error(`${shown}: a user of an HTTP proxy can't have a colon in it (RFC 7617)`);
  }
  if (kind === 'socks5' && [user, password].some((text) => Buffer.byteLength(text) > 255)) {
    throw new Error(`${shown}: SOCKS5 has room for 255 bytes of user and of password (RFC 1929)`);
  }
  if (kind === 'socks4' && password !== '') {
    throw new Error(`${shown}: SOCKS4 has users and no passwords; write socks4://user@host:port, or socks5://`);
  }
  if (kind === 'socks4' && user.includes('\0')) throw new Error(`${shown}: a user of SOCKS4 can't have a NUL in it`);
}

function decode(shown: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The cause would quote the credentials.
    throw new Error(`${shown}: user or password is not percent-encoded; write % as %25`);
  }
}
