// What the `X-Crawlera-…` fields of a request say: their documented values, defaults and limits. What follows from them,
// and what else a request may say it with, is not known here.

import { GatewayError } from '../sessions/errors.js';
import type { SessionRef } from '../sessions/session.js';
import type { Directives } from './directives.js';
import { CREATE_SESSION, HEADER } from './header-names.js';
import {
  badValueText,
  fieldValues,
  NO_FIELDS,
  type ProtocolFields,
  readCountry,
  readFieldNames,
  readMatch,
  readOpaque,
  readPresence,
  readWord,
  readWords,
  repeatedText,
} from './protocol-fields.js';

/** Where an outgoing IP is to be, all in lower case. */
export interface AskedPlace {
  readonly country: string | undefined;
  readonly state: string | undefined;
  readonly city: string | undefined;
}

/** What the header fields of a request ask for; `undefined`, or the default, where they say nothing. */
export interface HeaderDirectives {
  /** What nothing but header fields can ask for. */
  readonly settings: Omit<Directives, 'dialect' | 'session' | 'traits' | 'bancheck'>;
  readonly bancheck: boolean;
  readonly place: AskedPlace;
  readonly session: SessionRef | undefined;
}

/** A session ID as the gateway gives it. */
export const SESSION_ID = /^\d{1,50}$/;

const RETRIES_MAX = 5;
const TIMEOUT_MIN_MS = 30_000;
const TIMEOUT_MAX_MS = 180_000;

const RETRIES = { pattern: /^\d+$/, takes: 'a whole number, 0 to 5' };
const TIMEOUT = { pattern: /^[+-]?\d+(?:\.\d+)?$/, takes: 'a number of milliseconds, 30000 to 180000' };
const PLACE_NAME = { pattern: /^\P{Cc}{1,50}$/u, takes: '1 to 50 characters' };

/**
 * Reads the control headers. `X-Crawlera-Wait` and unknown ones are ignored.
 *
 * @throws GatewayError `bad_header` for a header that stands there twice, is empty, or has a value it doesn't take;
 * `bad_session_id` where that header is `X-Crawlera-Session`
 * @see https://docs.zyte.com/smart-proxy-manager.html "Request headers"
 */
export function readControlHeaders(fields: ProtocolFields): HeaderDirectives {
  // Most requests say nothing but their session.
  const { size } = fields;
  if (size === 0 || (size === 1 && fields.has(SESSION_FIELD))) {
    const session = readSession(fields);
    return { settings: NOTHING.settings, bancheck: NOTHING.bancheck, place: NOTHING.place, session };
  }
  return readAll(fields);
}

function readAll(fields: ProtocolFields): HeaderDirectives {
  return {
    settings: readSettings(fields),
    bancheck: !readPresence(fields, HEADER.noBancheck),
    place: readPlace(fields),
    // Last, for a bad header is told before a bad session.
    session: readSession(fields),
  };
}

const SESSION_FIELD = HEADER.session.toLowerCase();

/** What a request asks for that has no control header. */
const NOTHING = readAll(NO_FIELDS);

function readSettings(fields: ProtocolFields): HeaderDirectives['settings'] {
  const debug = readWords(fields, HEADER.debug);
  return {
    maxRetries: readMaxRetries(fields),
    responseTimeoutMs: readTimeout(fields),
    cookies: readWord(fields, HEADER.cookies, ['enable', 'disable', 'discard']),
    profile: readWord(fields, HEADER.profile, ['pass', 'desktop', 'mobile']),
    profilePass: readFieldNames(fields, HEADER.profilePass),
    userAgent: readUserAgent(fields),
    // Ours: `0` is no. Only `1` is documented, and any other value may be either.
    useHttps: readWord(fields, HEADER.useHttps, ['1', '0']) === '1',
    debug: { requestTime: debug.includes('request-time'), userAgent: debug.includes('ua') },
    jobId: readOpaque(fields, HEADER.jobId),
    client: readOpaque(fields, HEADER.client),
  };
}

function readMaxRetries(fields: ProtocolFields): number | undefined {
  const value = readMatch(fields, HEADER.maxRetries, RETRIES);
  return value === undefined ? undefined : Math.min(Number(value), RETRIES_MAX);
}

/** Out of range is clamped, as documented; a negative number is out of range, too. */
function readTimeout(fields: ProtocolFields): number | undefined {
  const value = readMatch(fields, HEADER.timeout, TIMEOUT);
  if (value === undefined) return undefined;
  return Math.min(Math.max(Math.round(Number(value)), TIMEOUT_MIN_MS), TIMEOUT_MAX_MS);
}

/** Ours: beside `X-Crawlera-UA`, which says more, `X-Crawlera-No-UA` says nothing. */
function readUserAgent(fields: ProtocolFields): Directives['userAgent'] {
  const hasNoUserAgent = readPresence(fields, HEADER.noUserAgent);
  const word = readWord(fields, HEADER.userAgent, ['pass', 'desktop', 'mobile', 'crawlera']);
  // Ours: the value of 2015, when the service chose the user agent, is the commonest kind of browser.
  if (word === 'crawlera') return 'desktop';
  return word ?? (hasNoUserAgent ? 'pass' : undefined);
}

function readPlace(fields: ProtocolFields): AskedPlace {
  return {
    country: readCountry(fields, HEADER.region),
    state: readMatch(fields, HEADER.state, PLACE_NAME)?.toLowerCase(),
    city: readMatch(fields, HEADER.city, PLACE_NAME)?.toLowerCase(),
  };
}

function readSession(fields: ProtocolFields): SessionRef | undefined {
  const name = HEADER.session;
  const values = fieldValues(fields, name);
  if (values.length > 1) throw badSession(repeatedText(name, values.length));
  const value = values[0]?.trim();
  if (value === undefined) return undefined;
  if (value.toLowerCase() === CREATE_SESSION) return { kind: 'create' };
  if (SESSION_ID.test(value)) return { kind: 'id', id: value };
  throw badSession(badValueText({ name, value, takes: '"create" or an ID that the gateway gave' }));
}

function badSession(message: string): GatewayError {
  return new GatewayError('bad_session_id', message);
}
