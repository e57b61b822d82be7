// Where a request on the one port goes: into the gateway's own API, or on to a target. Reads the request line only.

import { GatewayError } from '../sessions/errors.js';
import { readTarget, siteOf } from '../upstreams/target-address.js';

/** A target of a use: where to connect, and the site whose delays and bans count. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly site: string;
}

/** What a request line asks for. `path` is in origin form, as the client wrote it. */
export type RequestTarget =
  | { readonly kind: 'api'; readonly path: string }
  | { readonly kind: 'target'; readonly target: Target; readonly path: string; readonly authority: string }
  | { readonly kind: 'bad'; readonly error: GatewayError };

const ABSOLUTE = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<authority>[^/?#]*)(?<path>.*)$/i;

/** The API paths that may also be asked in absolute form: clients behind the proxy send `DELETE http://gateway/sessions/1`. */
const SESSIONS_PATH = /^\/sessions(?:\/|$)/;

/**
 * Reads the target of a request that is no CONNECT.
 *
 * @param isOwn whether `host:port` is where the gateway listens
 * @returns `bad` for what is neither a path nor an `http://` URL; told only to those who may use the gateway
 */
export function readRequestTarget(url: string, isOwn: (host: string, port: number) => boolean): RequestTarget {
  if (url.startsWith('/')) return { kind: 'api', path: url };
  const groups = ABSOLUTE.exec(url)?.groups;
  if (groups === undefined) return bad(`The request target "${shorten(url)}" is neither a path nor an http:// URL`);
  const scheme = (groups['scheme'] as string).toLowerCase();
  if (scheme === 'https') {
    return bad('https:// targets need a tunnel in this version: send CONNECT, as clients do by themselves');
  }
  if (scheme !== 'http') return bad(`Targets are http:// or https://, not ${scheme}://`);
  // Credentials in a URL are for its reader; RFC 9110 section 4.2.4 wants them dropped.
  const authority = (groups['authority'] as string).replace(/^.*@/, '');
  const address = readTarget(authority.replace(/:$/, ''), 80);
  if (address === undefined) return bad(`"${shorten(url)}" names no host and port that can be contacted`);
  const path = pathOf(groups['path'] as string);
  if (SESSIONS_PATH.test(new URL(`http://own${path}`).pathname) && isOwn(address.host, address.port))
    return { kind: 'api', path };
  return { kind: 'target', target: { ...address, site: siteOf(address.host) }, path, authority };
}

/**
 * Reads the target of a CONNECT.
 *
 * @throws GatewayError `bad_uri` for what is no `host:port`
 */
export function readConnectTarget(url: string): Target {
  const address = readTarget(url);
  if (address === undefined) throw badUri(`CONNECT takes host:port, not "${shorten(url)}"`);
  return { ...address, site: siteOf(address.host) };
}

function pathOf(rest: string): string {
  const withoutFragment = rest.split('#', 1)[0] as string;
  return withoutFragment.startsWith('/') ? withoutFragment : `/${withoutFragment}`;
}

function shorten(text: string): string {
  // Somebody may have put a user and password where the target stands.
  const shown = text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i, '$1');
  return shown.length > 100 ? `${shown.slice(0, 100)}…` : shown;
}

function bad(message: string): RequestTarget {
  return { kind: 'bad', error: badUri(message) };
}

function badUri(message: string): GatewayError {
  return new GatewayError('bad_uri', message);
}
