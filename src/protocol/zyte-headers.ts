// What the `Zyte-…` fields of a request say, in the words of `directives.ts`. Only what has a meaning on a gateway of
// one's own is read; the rest of that dialect is ignored.

import type { SessionRef } from '../sessions/session.js';
import type { HeaderDirectives } from './control-headers.js';
import type { CookieMode } from './directives.js';
import { ZYTE_HEADER } from './header-names.js';
import {
  type ProtocolFields,
  readCountry,
  readFieldNames,
  readMatch,
  readOpaque,
  readWord,
} from './protocol-fields.js';

const UUID_V4 = {
  pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i,
  takes: 'a UUID of version 4',
};

/** Ours: who lets the service manage cookies wants the gateway to keep them with the session. */
const COOKIE_MODES: Readonly<Record<'auto' | 'discard', CookieMode>> = { auto: 'enable', discard: 'discard' };

/**
 * Reads the fields of the successor's dialect; what it has no field for is as if not said.
 *
 * @throws GatewayError `bad_header` for a field that stands there twice, is empty, or has a value it doesn't take
 * @see https://docs.zyte.com/zyte-api/usage/proxy-mode.html
 */
export function readZyteHeaders(fields: ProtocolFields): HeaderDirectives {
  return {
    settings: readSettings(fields),
    bancheck: true,
    place: { country: readCountry(fields, ZYTE_HEADER.geolocation), state: undefined, city: undefined },
    session: readSession(fields),
  };
}

function readSettings(fields: ProtocolFields): HeaderDirectives['settings'] {
  const management = readWord(fields, ZYTE_HEADER.cookieManagement, ['auto', 'discard']);
  return {
    maxRetries: undefined,
    responseTimeoutMs: undefined,
    cookies: management === undefined ? undefined : COOKIE_MODES[management],
    profile: readWord(fields, ZYTE_HEADER.device, ['desktop', 'mobile']),
    // Ours: any name. The source lists three, but a profile of ours has more fields, and who names one means it.
    profilePass: readFieldNames(fields, ZYTE_HEADER.overrideHeaders),
    userAgent: undefined,
    useHttps: false,
    debug: { requestTime: false, userAgent: false },
    jobId: readOpaque(fields, ZYTE_HEADER.jobId),
    client: readOpaque(fields, ZYTE_HEADER.client),
  };
}

function readSession(fields: ProtocolFields): SessionRef | undefined {
  const id = readMatch(fields, ZYTE_HEADER.session, UUID_V4)?.toLowerCase();
  return id === undefined ? undefined : { kind: 'chosen', id };
}
