// Which header fields cross the gateway. All that are not ours do, byte for byte and in order; what belongs to one
// connection, to the proxy or to the protocol stays here.

import { HEADER, isHopByHop, isProtocolHeader } from '../protocol/header-names.js';
import { connectionOptionsOf, fieldsOf, type RawHeaders, transferCodingsOf } from '../protocol/raw-headers.js';
import { VERSION } from '../protocol/version.js';
import { wireSeconds } from '../protocol/wire-errors.js';

/** Fields that a `Connection` field may not take away: without them a message has another meaning. */
const NEVER_OPTIONS = new Set(['host', 'content-length']);

/** What an answer tells of its use. */
export interface UseFacts {
  readonly sessionId: string | undefined;
  /** Undefined where it is not to be told. */
  readonly outgoingIp: string | undefined;
  readonly nextRequestInMs: number | undefined;
}

/**
 * The fields of a request as its target gets them. `Host` names the target, whatever the client wrote; the framing is
 * the client's; the connection to the target is kept.
 */
export function requestHeaders(raw: RawHeaders, authority: string): string[] {
  const headers: string[] = [];
  let hasHost = false;
  for (const [name, value] of crossing(raw)) {
    const lower = name.toLowerCase();
    // `Expect` was answered here: the body comes without being asked for.
    if (lower === 'expect') continue;
    if (lower !== 'host') headers.push(name, value);
    else if (!hasHost) {
      headers.push(name, value.toLowerCase() === authority.toLowerCase() ? value : authority);
      hasHost = true;
    }
  }
  if (!hasHost) headers.unshift('Host', authority);
  if (transferCodingsOf(raw).length > 0) headers.push('Transfer-Encoding', 'chunked');
  headers.push('Connection', 'keep-alive');
  return headers;
}

/** The fields of an answer as the client gets them: the target's, then ours. */
export function responseHeaders(raw: RawHeaders, facts: UseFacts): string[] {
  const headers: string[] = [];
  for (const [name, value] of crossing(raw)) headers.push(name, value);
  return [...headers, ...useHeaders(facts)];
}

/** Our own fields of an answer that a target gave, or of an opened tunnel. */
export function useHeaders({ sessionId, outgoingIp, nextRequestInMs }: UseFacts): string[] {
  const headers: string[] = [HEADER.version, VERSION];
  if (sessionId !== undefined) headers.push(HEADER.session, sessionId);
  if (outgoingIp !== undefined) headers.push(HEADER.outgoingIp, outgoingIp);
  if (nextRequestInMs !== undefined) headers.push(HEADER.nextRequestIn, String(wireSeconds(nextRequestInMs)));
  return headers;
}

function* crossing(raw: RawHeaders): Generator<readonly [name: string, value: string]> {
  const options = connectionOptionsOf(raw);
  for (const [name, value] of fieldsOf(raw)) {
    const lower = name.toLowerCase();
    if (isProtocolHeader(lower)) continue;
    if (isHopByHop(lower, options) && !NEVER_OPTIONS.has(lower)) continue;
    yield [name, value];
  }
}
