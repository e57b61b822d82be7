// What vendors of proxies want in the user or password for a sticky session, and what they promise of it. Data, each
// row with the page it is from; nothing here is spoken or counted.

import type { ProxyWay, UpstreamCredentials } from './upstream-way.js';

/** The vendors that are known. */
export const VENDOR_NAMES = ['brightdata', 'oxylabs', 'decodo', 'iproyal', 'apify'] as const;
export type VendorName = (typeof VENDOR_NAMES)[number];

/** How one vendor names its sticky sessions. */
export interface VendorPreset {
  /** Behind which of the two its parameters stand. */
  readonly place: 'user' | 'password';
  /** What each user begins with where there are parameters; put in front where it is missing. */
  readonly userPrefix?: string | undefined;
  /** A user that stands for "no parameters" and gives way to the first one. */
  readonly bareUser?: string | undefined;
  /** The parameters, in the order they are put there; their first character divides them. */
  readonly country: string;
  readonly session: string;
  /** Undefined: the vendor can't be told. */
  readonly minutes: string | undefined;
  readonly writeCountry: (country: string | undefined) => string | undefined;
  readonly charset: string;
  readonly length: number;
  /** The least and the most minutes it keeps a session. */
  readonly minuteBounds: readonly [number, number];
  /** How long it keeps one where the user doesn't say. */
  readonly minutesFor: (user: string) => number;
  readonly countsFrom: 'use' | 'creation';
  readonly stickyIdleMs?: number | undefined;
  /** The field of its answers that tells the outgoing IP, in lower case. */
  readonly tellsOutgoingIp?: string | undefined;
}

const asItIs = (country: string | undefined) => country;
const upper = (country: string | undefined) => country?.toUpperCase();
const DAY = 1_440;
// Ours: as long as a session of the gateway lives by default; each of the vendors that can be told takes it.
const halfAnHour = () => 30;

const PRESETS: Readonly<Record<VendorName, VendorPreset>> = {
  /**
   * Parameters of the user, and that a session is letters and digits, without - or *:
   * https://docs.brightdata.com/api-reference/proxy/rotate_ips
   * Kept 60 s after its last use, not changeable:
   * https://help.brightdata.com/hc/en-us/articles/4413222056849-How-do-I-configure-IP-rotation-when-using-Bright-Data-
   * That page is older than the rest and speaks of no particular network; some may keep one longer. The field is named at
   * https://docs.brightdata.com/proxy-networks/errorCatalog (policy_20120). Seen in other people's programs, not in the
   * documents: on residential networks it holds a hash in place of the address. A length is nowhere said.
   */
  brightdata: {
    place: 'user',
    country: '-country-{country}',
    session: '-session-{session}',
    minutes: undefined,
    writeCountry: asItIs,
    charset: '0-9a-z',
    length: 10,
    minuteBounds: [1, DAY],
    minutesFor: () => 1,
    countsFrom: 'use',
    tellsOutgoingIp: 'x-brd-ip',
  },
  /**
   * https://developers.oxylabs.io/products/proxies/residential-proxies/session-control
   * Letters and digits; sesstime up to 1,440 minutes, and "the session will expire within the time limit set, even if
   * requests are not finished"; forgotten after 60 s without requests. Whether that holds beside sesstime isn't said; it
   * is taken to. An older page has 30 minutes as the most. Of a field that tells the IP nothing was found.
   */
  oxylabs: {
    place: 'user',
    userPrefix: 'customer-',
    country: '-cc-{country}',
    session: '-sessid-{session}',
    minutes: '-sesstime-{minutes}',
    writeCountry: upper,
    charset: '0-9a-z',
    length: 10,
    minuteBounds: [1, DAY],
    minutesFor: halfAnHour,
    countsFrom: 'creation',
    stickyIdleMs: 60_000,
  },
  /**
   * https://help.decodo.com/docs/residential-proxy-custom-sticky-sessions
   * sessionduration is a whole number of minutes, 1 to 1,440. Not said there: which characters a session may have, and
   * that the time counts from the first use ("persist for up to"). The form of the user is that of the dashboard, as
   * programs of others have it. Of a field that tells the IP nothing was found.
   */
  decodo: {
    place: 'user',
    userPrefix: 'user-',
    country: '-country-{country}',
    session: '-session-{session}',
    minutes: '-sessionduration-{minutes}',
    writeCountry: asItIs,
    charset: '0-9a-z',
    length: 10,
    minuteBounds: [1, DAY],
    minutesFor: halfAnHour,
    countsFrom: 'creation',
  },
  /**
   * https://docs.iproyal.com/proxies/residential/proxy/rotation
   * In the password; precisely 8 letters and digits; a lifetime of 1 second to 7 days, in one unit. That it counts from
   * the first use isn't said in so many words ("how long the same proxy will be used"). Of a field that tells the IP
   * nothing was found.
   */
  iproyal: {
    place: 'password',
    country: '_country-{country}',
    session: '_session-{session}',
    minutes: '_lifetime-{minutes}m',
    writeCountry: asItIs,
    charset: '0-9a-z',
    length: 8,
    minuteBounds: [1, 7 * DAY],
    minutesFor: halfAnHour,
    countsFrom: 'creation',
  },
  /**
   * https://docs.apify.com/platform/proxy/usage : up to 50 of 0-9 A-Z a-z . _ ~ ; `auto` stands for no parameters.
   * 1 minute after the last use for residential proxies, 26 hours after it for the others:
   * https://docs.apify.com/platform/proxy/residential-proxy , https://docs.apify.com/platform/proxy/datacenter-proxy
   * No field tells the IP as far as these pages go.
   */
  apify: {
    place: 'user',
    bareUser: 'auto',
    country: ',country-{country}',
    session: ',session-{session}',
    minutes: undefined,
    writeCountry: upper,
    charset: '0-9a-z',
    length: 10,
    minuteBounds: [1, 26 * 60],
    minutesFor: (user) => (/RESIDENTIAL/i.test(user) ? 1 : 26 * 60),
    countsFrom: 'use',
  },
};

/**
 * Finds what a vendor wants.
 *
 * @throws Error that names those that are known
 */
export function presetOf(shown: string, name: string): VendorPreset {
  if (isVendor(name)) return PRESETS[name];
  throw new Error(
    `${shown}: no vendor is known by this name; write ${VENDOR_NAMES.join(', ')}, or {session} in the URL`,
  );
}

/**
 * Puts a vendor's parameters where it wants them, with the placeholders of `sticky-template.ts` in them.
 *
 * @returns undefined where the URL has no credentials
 * @throws Error where the URL has some of them already, or is of no kind that vendors have
 */
export function templateOf(
  shown: string,
  preset: VendorPreset,
  { way, country }: { way: ProxyWay; country: string | undefined },
): UpstreamCredentials | undefined {
  const { credentials, isTemplate, kind } = way;
  if (isTemplate) throw new Error(`${shown}: a vendor knows where {session} goes; leave out one of the two`);
  if (kind === 'socks4') throw new Error(`${shown}: no vendor names sessions over SOCKS4; write http:// or socks5://`);
  if (credentials === undefined) return undefined;
  const written = credentials[preset.place];
  const { session, minutes = '' } = preset;
  if ([session, minutes].some((parameter) => isIn(written, parameter))) {
    throw new Error(
      `${shown}: its URL names a session of the vendor already; leave that out, each session gets its own`,
    );
  }
  const place = country === undefined || isIn(written, preset.country) ? '' : preset.country;
  const user = encodeURIComponent(withPrefix(credentials.user, preset));
  const password = encodeURIComponent(credentials.password);
  // A first parameter has nothing to be divided from.
  const add = (text: string) =>
    text === '' ? `${place}${session}${minutes}`.slice(1) : `${text}${place}${session}${minutes}`;
  return preset.place === 'user' ? { user: add(user), password } : { user, password: add(password) };
}

function isVendor(name: string): name is VendorName {
  return Object.hasOwn(PRESETS, name);
}

/** Whether a parameter, written as the presets have it, is in a user or password. */
function isIn(written: string, parameter: string): boolean {
  const divider = parameter.charAt(0);
  const word = parameter.slice(0, Math.max(0, parameter.indexOf('{')));
  return word !== '' && `${divider}${written}`.includes(word);
}

function withPrefix(user: string, { userPrefix = '', bareUser }: VendorPreset): string {
  if (user === bareUser) return '';
  return user.startsWith(userPrefix) ? user : `${userPrefix}${user}`;
}
