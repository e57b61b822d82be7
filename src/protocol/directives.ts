// What a request asks of the gateway, read from its header fields and from its proxy credentials. A header field beats
// the credentials.

import { GatewayError } from '../sessions/errors.js';
import type { SessionRef, SessionTraits } from '../sessions/session.js';
import { readCredentialParameters } from './credentials.js';
import { CREATE_SESSION, HEADER } from './header-names.js';
import { type RawHeaders, valuesOf } from './raw-headers.js';

/** What a request asks for. */
export interface Directives {
  /** Undefined: no session, so that each request may leave by another outgoing IP. */
  readonly session: SessionRef | undefined;
  /** For a session that this request makes, and for the choice of an outgoing IP. */
  readonly traits: SessionTraits;
}

const ID = /^\d{1,50}$/;

/**
 * Reads what a request asks for.
 *
 * @throws GatewayError `bad_session_id` for a session header that is empty, repeated or no ID; `bad_header` for bad
 * parameters in the credentials
 */
export function readDirectives({ headers, password }: { headers: RawHeaders; password: string }): Directives {
  const { session, country, pacing, bancheck } = readCredentialParameters(password);
  return {
    session: readSessionHeader(headers) ?? sessionOf(session),
    traits: { country, pacing, bancheck: bancheck !== 'off' },
  };
}

/** The session ID that a request named, if it named one by ID: what an error answer may echo. */
export function sentSessionId({ session }: Directives): string | undefined {
  return session?.kind === 'id' ? session.id : undefined;
}

function readSessionHeader(headers: RawHeaders): SessionRef | undefined {
  const values = valuesOf(headers, HEADER.session);
  if (values.length === 0) return undefined;
  if (values.length > 1) throw badSession(`${HEADER.session} stands ${values.length} times; send it once`);
  const value = (values[0] as string).trim();
  if (value.toLowerCase() === CREATE_SESSION) return { kind: 'create' };
  if (!ID.test(value)) {
    throw badSession(`${HEADER.session} is "${value.slice(0, 60)}"; it takes "create" or an ID that the gateway gave`);
  }
  return { kind: 'id', id: value };
}

function sessionOf(value: string | undefined): SessionRef | undefined {
  if (value === undefined) return undefined;
  return ID.test(value) ? { kind: 'id', id: value } : { kind: 'name', name: value };
}

function badSession(message: string): GatewayError {
  return new GatewayError('bad_session_id', message);
}
