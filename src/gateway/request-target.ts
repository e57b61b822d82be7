// Where a request on the one port goes: into the gateway's own API, or on to a target. Reads the request line only.

import { GatewayError } from '../sessions/errors.js';
import { remembered } from '../upstreams/remembered.js';
import { bracketed, readTarget, siteOf, toAuthority } from '../upstreams/target-address.js';

/** A target of a use: where to connect, and the site whose delays and bans count. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly site: string;
}

/** A place that a request goes to. */
export interface Destination {
  readonly target: Target;
  /** Origin form, as the client wrote it. */
  readonly path: string;
  /** `host[:port]` for the `Host` field. */
  readonly authority: string;
  /** Whether it is asked over TLS. */
  readonly isSecure: boolean;
}

/** What a request line asks for. */
export type RequestTarget =
  | { readonly kind: 'api'; readonly path: string }
  | ({ readonly kind: 'target' } & Destination)
  | { readonly kind: 'bad'; readonly error: GatewayError };

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

const ABSOLUTE = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<authority>[^/?#]*)(?<path>.*)$/i;

/** Bound of the targets that are remembered. */
const MAX_KNOWN = 1000;

/** What stands before the path of a URL. */
type Origin = Omit<Destination, 'path'>;

/**
 * Origins as they were written, without credentials. Most requests go to few hosts, and reading one anew, then holding it
 * against the rules, costs as much as all else that is read of a request; the rules know a target that has passed by its
 * object.
 */
const known = new Map<string, Origin>();

/** The API paths that may also be asked in absolute form: clients behind the proxy send `DELETE http://gateway/sessions/1`. */
const SESSIONS_PATH = /^\/sessions(?:\/|$)/;

/**
 * Reads the target of a request that is no CONNECT.
 *
 * @param isOwn whether `host:port` is where the gateway listens
 * @returns `bad` for what is neither a path nor an `http://` or `https://` URL; told only to those who may use the gateway
 */
export function readRequestTarget(url: string, isOwn: (host: string, port: number) => boolean): RequestTarget {
  if (url.startsWith('/')) return { kind: 'api', path: url };
  const pathAt = url.indexOf('/', 'http://'.length);
  const before = pathAt === -1 ? undefined : known.get(url.slice(0, pathAt));
  if (before !== undefined) return at(before, url.slice(pathAt), isOwn);
  const groups = ABSOLUTE.exec(url)?.groups;
  if (groups === undefined) return bad(`The request target "${shorten(url)}" is neither a path nor an http:// URL`);
  const scheme = (groups['scheme'] as string).toLowerCase();
  const defaultPort = DEFAULT_PORTS[scheme];
  if (defaultPort === undefined) return bad(`Targets are http:// or https://, not ${scheme}://`);
  // Credentials in a URL are for its reader; RFC 9110 section 4.2.4 wants them dropped.
  const authority = (groups['authority'] as string).replace(/^.*@/, '');
  const origin = originOf(scheme, authority, defaultPort);
  if (origin === undefined) return bad(`"${shorten(url)}" names no host and port that can be contacted`);
  return at(origin, groups['path'] as string, isOwn);
}

/** Where on an origin a request goes; `rest` is what stands behind the origin. */
function at(origin: Origin, rest: string, isOwn: (host: string, port: number) => boolean): RequestTarget {
  const { target, authority, isSecure } = origin;
  const path = pathOf(rest);
  if (isOwn(target.host, target.port) && SESSIONS_PATH.test(new URL(`http://own${path}`).pathname))
    return { kind: 'api', path };
  return { kind: 'target', target, path, authority, isSecure };
}

function originOf(scheme: string, asWritten: string, defaultPort: number): Origin | undefined {
  const name = `${scheme}://${asWritten}`;
  const before = known.get(name);
  if (before !== undefined) return before;
  const address = readTarget(asWritten.replace(/:$/, ''), defaultPort);
  if (address === undefined) return undefined;
  const target = { ...address, site: siteOf(address.host) };
  // A part of the name, not of the URL: a part of a string keeps the whole of it in memory.
  const authority = name.slice(scheme.length + '://'.length);
  const origin = { target, authority, isSecure: scheme === 'https' };
  // All at once: an order of use would have to be kept at each request, and reading them again is a matter of microseconds.
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(name, origin);
  return origin;
}

/**
 * The destination of a request inside a tunnel: always that of its CONNECT, whatever else the request names.
 *
 * @param url origin form, or the absolute form that some clients send there, too
 */
export function destinationInTunnel(url: string, { target, isSecure }: Pick<Destination, 'target' | 'isSecure'>) {
  const groups = ABSOLUTE.exec(url)?.groups;
  const path = groups === undefined ? url : pathOf(groups['path'] as string);
  const isDefault = target.port === DEFAULT_PORTS[isSecure ? 'https' : 'http'];
  const authority = isDefault ? bracketed(target.host) : toAuthority(target);
  return { target, path, authority, isSecure } satisfies Destination;
}

/**
 * The destination of a request that asks for TLS by a header field.
 *
 * @see https://docs.zyte.com/smart-proxy-manager.html "X-Crawlera-Use-HTTPS"
 */
export function overTls(destination: Destination): Destination {
  const { target, authority } = destination;
  // Ours: a port other than that of plain HTTP is the one to ask.
  const port = target.port === DEFAULT_PORTS['http'] ? 443 : target.port;
  return { ...destination, target: { ...target, port }, authority: authority.replace(/:80$/, ''), isSecure: true };
}

/**
 * Reads the target of a CONNECT.
 *
 * @throws GatewayError `bad_uri` for what is no `host:port`
 */
export function readConnectTarget(url: string): Target {
  const target = connectTargetOf(url);
  if (target === undefined) throw badUri(`CONNECT takes host:port, not "${shorten(url)}"`);
  return target;
}

/** One object for all CONNECTs to a target: the rules know one that has passed by its object. */
const connectTargetOf = remembered((url): Target | undefined => {
  const address = readTarget(url);
  return address && { ...address, site: siteOf(address.host) };
});

function pathOf(rest: string): string {
  const fragmentAt = rest.indexOf('#');
  const withoutFragment = fragmentAt === -1 ? rest : rest.slice(0, fragmentAt);
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
