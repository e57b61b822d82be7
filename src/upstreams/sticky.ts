// Sticky sessions of vendors: what of an upstream's URL names one, how long the vendor keeps it, and which name a seed
// gets. Which vendor wants what is data of `vendors.ts`.

import { createHash } from 'node:crypto';

import type { StickyLife } from '../sessions/sticky-life.js';
import { fillTemplate, hasPlaceholder } from './sticky-template.js';
import { checkCredentials } from './upstream-way.js';
import type { ProxyWay, UpstreamCredentials } from './upstream-way.js';
import { presetOf, templateOf } from './vendors.js';
import type { VendorPreset } from './vendors.js';

/** How the vendor behind a URL with `{session}` in it knows its sticky sessions. */
export interface StickyOptions {
  /** Characters of `{session}`, as ranges and single ones of `0-9 A-Z a-z . _ ~ -`. @default '0-9a-z' */
  readonly charset?: string | undefined;
  /** Characters `{session}` has, 1 to 64. @default 10 */
  readonly length?: number | undefined;
  /** How long the vendor keeps one, in whole minutes; told to it by `{minutes}`. @default 10, with a vendor its own */
  readonly minutes?: number | undefined;
  /** Whether that time begins anew with each use, or runs from the first. @default 'creation' */
  readonly countsFrom?: 'use' | 'creation' | undefined;
}

/** What is needed to name the sticky sessions of an upstream. */
export interface StickySpec extends StickyLife {
  /** The characters of a name. */
  readonly alphabet: string;
  readonly length: number;
}

/** What an upstream's credentials turn out to be. */
export interface ResolvedCredentials {
  /** Templates that leave `{session}` open where `sticky` is set, else as they are sent. */
  readonly credentials: UpstreamCredentials | undefined;
  readonly sticky: StickySpec | undefined;
  readonly tellsOutgoingIp: string | undefined;
}

/** What an upstream says of itself that its credentials depend on. */
export interface StickyGiven {
  readonly vendor?: string | undefined;
  readonly sticky?: StickyOptions | undefined;
  /** In lower case. */
  readonly country: string | undefined;
}

// Ours: most vendors want letters and digits and some fold their case; ten of 36 make it unlikely (1 in 7,000) that of
// a million sessions two share a name. Ten minutes is what vendors keep a session for unless told otherwise. Where
// nothing is said the time counts from the first use: who wrongly believes so asks for the IP too early, not too late.
const DEFAULTS = { charset: '0-9a-z', length: 10, minutes: 10, countsFrom: 'creation' } as const;
/** A week: the longest any vendor of ours keeps a session. */
const MAX_MINUTES = 10_080;
const MAX_LENGTH = 64;

/**
 * Reads the credentials of a proxy as templates of sticky sessions, if that is what they are.
 *
 * @param shown what messages call the upstream
 * @throws Error that says what is wrong, without user and password
 */
export function resolveCredentials(shown: string, way: ProxyWay, given: StickyGiven): ResolvedCredentials {
  const { credentials, isTemplate, kind } = way;
  const { vendor, sticky: options = {}, country } = given;
  const preset = vendor === undefined ? undefined : presetOf(shown, vendor);
  if (preset === undefined && !isTemplate) {
    if (given.sticky === undefined) return { credentials, sticky: undefined, tellsOutgoingIp: undefined };
    throw new Error(`${shown}: sticky needs {session} in the user or password of the URL, or a vendor`);
  }
  const template = preset === undefined ? credentials : templateOf(shown, preset, { way, country });
  if (template === undefined) throw new Error(`${shown} has no user and password; write them as the vendor gives them`);
  const spec = preset === undefined ? specOf(shown, options) : specOfPreset(shown, preset, { options, template });
  const filled = fill(shown, template, {
    minutes: spec.stickyMs / 60_000,
    country: preset?.writeCountry(country) ?? country,
  });
  const isSticky = [filled.user, filled.password].some((text) => hasPlaceholder(text, 'session'));
  if (!isSticky && (given.sticky !== undefined || usesMinutes(template))) {
    throw new Error(`${shown}: sticky sessions need {session} in the user or password of the URL`);
  }
  checkCredentials(shown, kind, credentialsOf(filled, 'x'.repeat(spec.length)));
  return {
    credentials: isSticky ? filled : credentialsOf(filled, ''),
    sticky: isSticky ? spec : undefined,
    tellsOutgoingIp: preset?.tellsOutgoingIp,
  };
}

/** Fills the name of a sticky session in; the result is what is sent. */
export function credentialsOf(template: UpstreamCredentials, session: string): UpstreamCredentials {
  const read = (text: string) => decodeURIComponent(fillTemplate(text, { session }));
  return { user: read(template.user), password: read(template.password) };
}

/** Names the sticky session of a seed: the same one each time, and all equally likely. */
export function stickyNameOf(seed: string, { alphabet, length }: Pick<StickySpec, 'alphabet' | 'length'>): string {
  const base = BigInt(alphabet.length);
  // 512 bits: 64 characters of 66 need 387.
  let rest = BigInt(`0x${createHash('sha512').update(seed).digest('hex')}`);
  let name = '';
  while (name.length < length) {
    name += alphabet.charAt(Number(rest % base));
    rest /= base;
  }
  return name;
}

function fill(
  shown: string,
  template: UpstreamCredentials,
  { minutes, country }: { minutes: number; country: string | undefined },
): UpstreamCredentials {
  const isAsked = hasPlaceholder(template.user, 'country') || hasPlaceholder(template.password, 'country');
  if (isAsked && country === undefined) {
    throw new Error(`${shown}: {country} stands for the country of the upstream, and it has none; give it one`);
  }
  const values = { minutes: String(minutes), ...(country !== undefined && { country }) };
  return { user: fillTemplate(template.user, values), password: fillTemplate(template.password, values) };
}

function usesMinutes({ user, password }: UpstreamCredentials): boolean {
  return hasPlaceholder(user, 'minutes') || hasPlaceholder(password, 'minutes');
}

function specOf(shown: string, options: StickyOptions): StickySpec {
  const { charset = DEFAULTS.charset, length = DEFAULTS.length, countsFrom = DEFAULTS.countsFrom } = options;
  const minutes = options.minutes ?? DEFAULTS.minutes;
  checkMinutes(shown, minutes, [1, MAX_MINUTES]);
  if (!Number.isInteger(length) || length < 1 || length > MAX_LENGTH) {
    throw new Error(`${shown}: sticky.length is a whole number from 1 to ${MAX_LENGTH}`);
  }
  return { alphabet: readCharset(shown, charset), length, stickyMs: minutes * 60_000, countsFrom };
}

function specOfPreset(
  shown: string,
  preset: VendorPreset,
  { options, template }: { options: StickyOptions; template: UpstreamCredentials },
): StickySpec {
  const { charset, length, countsFrom, stickyIdleMs, minuteBounds } = preset;
  const { minutes = preset.minutesFor(template.user), ...known } = options;
  const [extra] = Object.keys(known).filter((name) => Reflect.get(known, name) !== undefined);
  if (extra !== undefined) {
    throw new Error(`${shown}: sticky.${extra} is known of this vendor; with one, sticky is {minutes} only`);
  }
  checkMinutes(shown, minutes, minuteBounds);
  return { alphabet: readCharset(shown, charset), length, stickyMs: minutes * 60_000, countsFrom, stickyIdleMs };
}

function checkMinutes(shown: string, minutes: number, [least, most]: readonly [number, number]): void {
  if (Number.isInteger(minutes) && minutes >= least && minutes <= most) return;
  throw new Error(`${shown}: sticky.minutes is a whole number from ${least} to ${most}`);
}

/** The characters that a charset such as `0-9a-f` stands for. */
function readCharset(shown: string, charset: string): string {
  const all = charset.replaceAll(/(?<first>[0-9A-Za-z])-(?<last>[0-9A-Za-z])/g, (_, first: string, last: string) => {
    const [from, to] = [first.charCodeAt(0), last.charCodeAt(0)];
    return String.fromCharCode(...Array.from({ length: Math.max(0, to - from + 1) }, (__, step) => from + step));
  });
  const alphabet = [...new Set(all)].join('');
  if (alphabet.length >= 2 && /^[0-9A-Za-z._~-]+$/.test(alphabet)) return alphabet;
  throw new Error(`${shown}: sticky.charset is two or more of 0-9 A-Z a-z . _ ~ -, such as 0-9a-z`);
}
