// What a request asks of the gateway, read from its header fields and from its proxy credentials. A field of the request
// beats one of the CONNECT it came through, and that beats the credentials. What a single field takes is not known here.

import { GatewayError } from '../sessions/errors.js';
import type { SessionRef, SessionTraits } from '../sessions/session.js';
import { type AskedPlace, readControlHeaders, SESSION_ID } from './control-headers.js';
import { type CredentialParameters, hasSessionParameter, readCredentialParameters } from './credentials.js';
import { type Dialect, dialectOfFields } from './dialect.js';
import { HEADER, ZYTE_HEADER } from './header-names.js';
import { fieldValues, type ProtocolFields, protocolFieldsOf } from './protocol-fields.js';
import type { RawHeaders } from './raw-headers.js';
import { readZyteHeaders } from './zyte-headers.js';

/** What is done with cookies: the gateway keeps them, they pass, or none are sent. */
export type CookieMode = 'enable' | 'disable' | 'discard';

/** Whose header fields a target sees: the client's, or those of a browser that the gateway plays. */
export type ProfileMode = 'pass' | 'desktop' | 'mobile';

/** What a request asks for. */
export interface Directives {
  /** In which protocol it asks, and is to be answered. */
  readonly dialect: Dialect;
  /** Undefined: no session, so that each request may leave by another outgoing IP. */
  readonly session: SessionRef | undefined;
  /** For a session that this request makes, and for the choice of an outgoing IP. */
  readonly traits: SessionTraits;
  /** Whether the answer is judged by the ban rules; a session may say no, too. */
  readonly bancheck: boolean;
  /** The number given, 0 to 5; what it counts is a setting. Undefined: the gateway's default. */
  readonly maxRetries: number | undefined;
  /** Milliseconds to the head of the answer and between two pieces of it, 30,000 to 180,000. */
  readonly responseTimeoutMs: number | undefined;
  readonly cookies: CookieMode | undefined;
  readonly profile: ProfileMode | undefined;
  /** Names, in lower case, of the fields of the client that a profile leaves alone. */
  readonly profilePass: ReadonlySet<string>;
  /** As `profile`, for the field `User-Agent` alone; a profile beats it. */
  readonly userAgent: ProfileMode | undefined;
  /** Whether an `http://` target is to be asked over TLS. */
  readonly useHttps: boolean;
  /** Which of the debug fields the answer is to have. */
  readonly debug: { readonly requestTime: boolean; readonly userAgent: boolean };
  /** For the log alone. */
  readonly jobId: string | undefined;
  readonly client: string | undefined;
}

/** Where a request says what it asks for. */
export interface DirectiveSources {
  readonly headers: RawHeaders;
  /** Fields of the CONNECT of an intercepted tunnel; each counts where the request has none of that name. @default [] */
  readonly defaults?: RawHeaders | undefined;
  /** Of the proxy credentials. */
  readonly password: string;
  /** @default 'refuse' */
  readonly regionConflict?: RegionConflict | undefined;
}

/**
 * What becomes of `X-Crawlera-Region`, `-State` and `-City` beside a session, which the documents call incompatible:
 * an error; or they choose the outgoing IP of a session that is made, and say nothing to one that is there.
 */
export type RegionConflict = 'refuse' | 'ignore';

/**
 * Reads what a request asks for.
 *
 * @throws GatewayError `bad_session_id` for a session header that is empty, repeated or no ID; `bad_header` for any
 * other bad control header, for bad parameters in the credentials, and for a place beside a session
 */
export function readDirectives({
  headers,
  defaults,
  password,
  regionConflict = 'refuse',
}: DirectiveSources): Directives {
  const credentials = readCredentialParameters(password);
  const fields = protocolFieldsOf(headers, defaults);
  const dialect = dialectOfFields(fields);
  const asked = dialect === 'zyte' ? readZyteHeaders(fields) : readControlHeaders(fields);
  const session = asked.session ?? sessionOf(credentials.session);
  const place = placeBeside(session, { place: asked.place, fields, regionConflict });
  const { settings } = asked;
  // Field by field: made for each request, and slow to copy.
  return {
    dialect,
    session,
    traits: traitsOf(place, credentials),
    bancheck: asked.bancheck && credentials.bancheck !== 'off',
    maxRetries: settings.maxRetries,
    responseTimeoutMs: settings.responseTimeoutMs,
    cookies: settings.cookies,
    profile: settings.profile,
    profilePass: settings.profilePass,
    userAgent: settings.userAgent,
    useHttps: settings.useHttps,
    debug: settings.debug,
    jobId: settings.jobId,
    client: settings.client,
  };
}

/** The session ID that a request named, if it named one by ID: what an error answer may echo. */
export function sentSessionId({ session }: Directives): string | undefined {
  return session?.kind === 'id' || session?.kind === 'chosen' ? session.id : undefined;
}

/** Whether a CONNECT names a session, well or badly, by a header field of either dialect or in its credentials. */
export function namesSession({ headers, password }: Pick<DirectiveSources, 'headers' | 'password'>): boolean {
  const fields = protocolFieldsOf(headers);
  return SESSION_FIELDS.some((name) => fieldValues(fields, name).length > 0) || hasSessionParameter(password);
}

const SESSION_FIELDS = [HEADER.session, ZYTE_HEADER.session];
const PLACE_FIELDS = [HEADER.region, HEADER.state, HEADER.city];
const NO_PLACE: AskedPlace = { country: undefined, state: undefined, city: undefined };

function sessionOf(value: string | undefined): SessionRef | undefined {
  if (value === undefined) return undefined;
  return SESSION_ID.test(value) ? { kind: 'id', id: value } : { kind: 'name', name: value };
}

function traitsOf({ country, state, city }: AskedPlace, credentials: CredentialParameters): SessionTraits {
  const { pacing, bancheck } = credentials;
  return { country: country ?? credentials.country, state, city, pacing, bancheck: bancheck !== 'off' };
}

/**
 * The place that a request may ask for beside its session, if it has one. `Zyte-Geolocation` conflicts with none.
 *
 * @see https://docs.zyte.com/smart-proxy-manager/sessions.html, which warns of it and names no error: 540 is ours
 */
function placeBeside(session: SessionRef | undefined, { place, fields, regionConflict }: PlaceQuestion): AskedPlace {
  const stands = (name: string): boolean => fieldValues(fields, name).length > 0;
  const places = PLACE_FIELDS.filter(stands);
  if (places.length === 0) return place;
  if (regionConflict === 'ignore') return session?.kind === 'id' ? NO_PLACE : place;
  // A Zyte-Session-ID names no session beside X-Crawlera-… fields, but whoever sent it meant one.
  const sessionField = SESSION_FIELDS.find(stands);
  if (session === undefined && sessionField === undefined) return place;
  const other = sessionField ?? 'a session in the proxy password';
  throw new GatewayError(
    'bad_header',
    `${places.join(', ')} can't stand beside ${other}: a session has an outgoing IP of its own; send only one of them`,
  );
}

interface PlaceQuestion {
  readonly place: AskedPlace;
  readonly fields: ProtocolFields;
  readonly regionConflict: RegionConflict;
}
