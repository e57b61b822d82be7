// Which header fields cross the gateway. All that are not ours do, byte for byte and in order; what belongs to one
// connection, to the proxy or to the protocol stays here.

import { type FieldName, HEADER, readFieldName, ZYTE_HEADER } from '../protocol/header-names.js';
import { connectionOptionsOf, type RawHeaders, transferCodingsOf, valuesOf } from '../protocol/raw-headers.js';
import { VERSION } from '../protocol/version.js';
import { wireSeconds } from '../protocol/wire-errors.js';
import { without } from '../upstreams/request-framing.js';

/** Fields that a `Connection` field may not take away: without them a message has another meaning. */
const NEVER_OPTIONS = new Set(['host', 'content-length']);

/** What an answer tells of its use. */
export interface UseFacts {
  readonly sessionId: string | undefined;
  /** Undefined where it is not to be told. */
  readonly outgoingIp: string | undefined;
  readonly nextRequestInMs: number | undefined;
  /** Set where the session leaves from elsewhere now: the outgoing IP it had, or `true` where that is not to be told. */
  readonly formerIp?: string | undefined;
  /** Set where the client asked for it: seconds from the request to the head of its answer. */
  readonly requestTimeSeconds?: number | undefined;
  /** Set where the client asked for it: the `User-Agent` that the target saw. */
  readonly userAgent?: string | undefined;
  /** Set in the dialect that has one. */
  readonly requestId?: string | undefined;
  /** A field in which the upstream tells the outgoing IP, in lower case, where that is not to be told. */
  readonly hiddenField?: string | undefined;
}

/** How a request reached the gateway. */
export interface RequestRoute {
  /** What `Host` is to say where the request line had the target, or there is no `Host`. */
  readonly authority: string;
  /** Whether it came inside a tunnel, where `Host` is between client and target. */
  readonly isInTunnel: boolean;
}

/**
 * The fields of a request as its target gets them. Outside a tunnel `Host` names the target, whatever the client wrote
 * (RFC 9112 section 3.2.2); the framing is the client's; the connection to the target is kept.
 */
export function requestHeaders(raw: RawHeaders, route: RequestRoute): string[] {
  const headers = targetHeaders(raw, route);
  if (transferCodingsOf(raw).length > 0) headers.push('Transfer-Encoding', 'chunked');
  headers.push('Connection', 'keep-alive');
  return headers;
}

/** The fields of a request for another protocol as its target gets them: `Upgrade` crosses, and there is no body. */
export function upgradeRequestHeaders(raw: RawHeaders, route: RequestRoute): string[] {
  return [...targetHeaders(raw, route), ...upgradesOf(raw), 'Connection', 'Upgrade'];
}

/** The fields of an answer as the client gets them: the target's, then ours. */
export function responseHeaders(raw: RawHeaders, facts: UseFacts): string[] {
  const headers = toldHeaders(raw, facts);
  headers.push(...useHeaders(facts));
  return headers;
}

/** The fields of an answer that switches protocols. */
export function upgradeResponseHeaders(raw: RawHeaders, facts: UseFacts): string[] {
  return [...toldHeaders(raw, facts), ...upgradesOf(raw), 'Connection', 'Upgrade', ...useHeaders(facts)];
}

function toldHeaders(raw: RawHeaders, { hiddenField }: UseFacts): string[] {
  const headers = crossingHeaders(raw);
  return hiddenField === undefined ? headers : without(headers, hiddenField);
}

/** The fields of an interim answer, or of trailers: what crosses, and nothing of ours. */
export function crossingHeaders(raw: RawHeaders): string[] {
  const options = connectionOptionsOf(raw);
  const headers: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (crosses(readFieldName(name), options)) headers.push(name, raw[index + 1] as string);
  }
  return headers;
}

/** Our own fields of an answer that a target gave, or of an opened tunnel. */
export function useHeaders(facts: UseFacts): string[] {
  const { sessionId, outgoingIp, formerIp, nextRequestInMs, requestTimeSeconds, userAgent, requestId } = facts;
  const headers: string[] = [HEADER.version, VERSION];
  if (sessionId !== undefined) headers.push(HEADER.session, sessionId);
  if (outgoingIp !== undefined) headers.push(HEADER.outgoingIp, outgoingIp);
  if (formerIp !== undefined) headers.push(HEADER.ipChanged, formerIp);
  if (nextRequestInMs !== undefined) headers.push(HEADER.nextRequestIn, String(wireSeconds(nextRequestInMs)));
  if (requestTimeSeconds !== undefined) headers.push(HEADER.debugRequestTime, String(requestTimeSeconds));
  if (userAgent !== undefined) headers.push(HEADER.debugUserAgent, userAgent);
  if (requestId !== undefined) headers.push(ZYTE_HEADER.requestId, requestId);
  return headers;
}

function targetHeaders(raw: RawHeaders, { authority, isInTunnel }: RequestRoute): string[] {
  const options = connectionOptionsOf(raw);
  const headers: string[] = [];
  let hasHost = false;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    const read = readFieldName(name);
    // `Expect` was answered here: the body comes without being asked for.
    if (!crosses(read, options) || read.lowerCase === 'expect') continue;
    if (read.lowerCase !== 'host') headers.push(name, value);
    else if (!hasHost) {
      const isKept = isInTunnel || value === authority || value.toLowerCase() === authority.toLowerCase();
      headers.push(name, isKept ? value : authority);
      hasHost = true;
    }
  }
  if (!hasHost) headers.unshift('Host', authority);
  return headers;
}

function upgradesOf(raw: RawHeaders): string[] {
  return valuesOf(raw, 'upgrade').flatMap((value) => ['Upgrade', value]);
}

function crosses({ lowerCase, endsHere }: FieldName, options: ReadonlySet<string>): boolean {
  if (endsHere) return false;
  return options.size === 0 || !options.has(lowerCase) || NEVER_OPTIONS.has(lowerCase);
}
