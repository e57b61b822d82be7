// What a target gets of a request's head: what crosses, with the browser profile and the cookies that were asked for.

import type { CookieMode } from '../protocol/directives.js';
import { valuesOf, type RawHeaders } from '../protocol/raw-headers.js';
import type { Acquired } from '../stores/session-store.js';
import { toAuthority } from '../upstreams/target-address.js';
import type { AskedRequest } from './asked-request.js';
import type { GatewayContext } from './context.js';
import type { CookieExchange } from './cookies/cookie-jars.js';
import { applyProfile, applyUserAgent } from './profiles/apply-profile.js';
import { requestHeaders, upgradeRequestHeaders } from './relay-headers.js';

/** The head of a request for its target, and what happens to the cookies of the answer. */
export interface Outgoing {
  readonly headers: RawHeaders;
  /** Called with the fields of the answer. */
  readonly keepCookies: (headers: RawHeaders) => void;
}

/** Makes the head of a request that was acquired. */
export function outgoingHeaders(
  context: GatewayContext,
  request: AskedRequest,
  { acquired, isUpgrade = false }: { readonly acquired: Acquired; readonly isUpgrade?: boolean },
): Outgoing | Promise<Outgoing> {
  const raw = request.req.rawHeaders;
  const headers = isUpgrade ? upgradeRequestHeaders(raw, request) : requestHeaders(raw, request);
  const mode = request.directives.cookies ?? context.options.cookies;
  const isPlain = mode === 'disable' && !isPlayed(context, request);
  return isPlain ? { headers, keepCookies: forget } : changed(context, request, { headers, acquired, mode });
}

function forget(): void {}

interface Changing {
  readonly headers: RawHeaders;
  readonly acquired: Acquired;
  readonly mode: CookieMode;
}

async function changed(
  context: GatewayContext,
  request: AskedRequest,
  { headers: crossing, acquired, mode }: Changing,
): Promise<Outgoing> {
  const own = { headers: crossing, sessionId: acquired.session?.id };
  const headers = isPlayed(context, request) ? await withProfile(context, request, own) : crossing;
  if (mode === 'disable') return { headers, keepCookies: forget };
  const jars = await context.cookieJars();
  const exchange: Omit<CookieExchange, 'headers'> = {
    mode,
    key: acquired.session?.id ?? `${request.owner} ${acquired.outgoingIp} ${request.target.site}`,
    url: cookieUrl(request),
  };
  return {
    headers: jars.outgoing({ ...exchange, headers }),
    keepCookies: (answered) => jars.incoming({ ...exchange, headers: answered }),
  };
}

/** Where cookies belong: to the host as the gateway reads it, however the client has spelled it. */
function cookieUrl({ isSecure, target, path }: AskedRequest): URL {
  // `OPTIONS *` asks for no page at all.
  return new URL(`${isSecure ? 'https' : 'http'}://${toAuthority(target)}${path.startsWith('/') ? path : '/'}`);
}

/** The `User-Agent` of a head; undefined where it has none. */
export function userAgentOf(headers: RawHeaders): string | undefined {
  return valuesOf(headers, 'user-agent')[0];
}

/** Whether the target is to see fields of a browser that the gateway plays, if only in part. */
function isPlayed({ options }: GatewayContext, { directives }: AskedRequest): boolean {
  return (directives.profile ?? options.profile) !== 'pass' || (directives.userAgent ?? 'pass') !== 'pass';
}

async function withProfile(
  context: GatewayContext,
  { directives, isSecure }: AskedRequest,
  { headers, sessionId }: { readonly headers: RawHeaders; readonly sessionId: string | undefined },
): Promise<RawHeaders> {
  const { profilePass: pass, userAgent = 'pass' } = directives;
  const device = directives.profile ?? context.options.profile;
  if (device !== 'pass') {
    const profile = await context.profiles.profileOf({ key: sessionId, device });
    return applyProfile(headers, profile, { pass, isSecure });
  }
  // A profile that was asked for beats the older field; `pass` is one, too.
  if (userAgent === 'pass' || directives.profile !== undefined) return headers;
  return applyUserAgent(headers, await context.profiles.profileOf({ key: sessionId, device: userAgent }));
}
