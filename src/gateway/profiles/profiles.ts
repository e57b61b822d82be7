// Which browser the gateway plays: a profile for each session, or a fresh one for each request. What a request looks
// like with it is the business of `apply-profile.ts`.

import type { HeaderGenerator } from 'header-generator';
import type { ProfileMode } from '../../protocol/directives.js';
import type { RawHeaders } from '../../protocol/raw-headers.js';

/** What kind of browser is played. */
export type Device = Exclude<ProfileMode, 'pass'>;

/** The fields that one browser sends with a page it opens. */
export interface Profile {
  readonly userAgent: string;
  /** Names and values in turn, in the browser's order and in HTTP/1.1 case; `User-Agent` among them. */
  readonly headers: RawHeaders;
}

/** What a profile is asked by. */
export interface ProfileRequest {
  /** The session's ID. Undefined: no session, and another profile each time. */
  readonly key: string | undefined;
  readonly device: Device;
}

/** Hands out profiles. */
export interface Profiles {
  /** The profile of a session, the same as long as it is kept; a fresh one where there is no session. */
  readonly profileOf: (request: ProfileRequest) => Promise<Profile>;
}

/** Profiles kept for sessions; past that the one that was not used for longest is forgotten. */
export const MAX_PROFILES = 10_000;

/** Draws before giving up; about 3 of 100 are refused. */
const MAX_DRAWS = 100;

/** The fields of a profile, as browsers spell them over HTTP/1.1. Chromium writes its client hints in lower case. */
const WIRE_NAMES = new Map(
  [
    'Accept',
    'Accept-Encoding',
    'Accept-Language',
    'DNT',
    'Sec-Fetch-Dest',
    'Sec-Fetch-Mode',
    'Sec-Fetch-Site',
    'Sec-Fetch-User',
    'Upgrade-Insecure-Requests',
    'User-Agent',
    'sec-ch-ua',
    'sec-ch-ua-mobile',
    'sec-ch-ua-platform',
  ].map((name) => [name.toLowerCase(), name]),
);

const CLIENT_HINTS = ['sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform'];

/**
 * Makes profiles from the statistics of real browsers.
 *
 * The first profile loads them: about 180 ms and 4 MB of heap, none of it before. Each later one takes about 0.15 ms,
 * a kept one 4 µs. A kept profile is about 0.6 KB, so that all of them are 6 MB. A session that was idle while
 * `maxKept` others went out gets another profile.
 *
 * The choice is random, and the library takes no source of randomness: tests can hold it to rules only.
 */
export function createProfiles({ maxKept = MAX_PROFILES }: { readonly maxKept?: number } = {}): Profiles {
  const kept = new Map<string, Profile>();
  let loading: Promise<HeaderGenerator> | undefined;
  return {
    profileOf: async ({ key, device }) => {
      loading ??= loadGenerator();
      const generator = await loading;
      if (key === undefined) return drawProfile(generator, device);
      // Nothing is awaited from here on, so that requests of one session that come together get one profile.
      const name = `${device} ${key}`;
      const profile = kept.get(name) ?? drawProfile(generator, device);
      kept.delete(name);
      kept.set(name, profile);
      for (const [oldest] of kept) {
        if (kept.size <= maxKept) break;
        kept.delete(oldest);
      }
      return profile;
    },
  };
}

async function loadGenerator(): Promise<HeaderGenerator> {
  const { HeaderGenerator } = await import('header-generator');
  return new HeaderGenerator();
}

function drawProfile(generator: HeaderGenerator, device: Device): Profile {
  for (let draw = 0; draw < MAX_DRAWS; draw += 1) {
    const headers = drawHeaders(generator, device);
    const userAgent = headers.get('user-agent');
    if (userAgent !== undefined && agrees(headers, userAgent, device)) return { userAgent, headers: spelled(headers) };
  }
  throw new Error(`No ${device} browser among ${MAX_DRAWS} draws agrees with itself`);
}

/** Values by lower-case name, in the browser's order. */
function drawHeaders(generator: HeaderGenerator, device: Device): ReadonlyMap<string, string> {
  // The statistics know ten times as many browsers over HTTP/2, with the same fields in the same order.
  const drawn = generator.getHeaders({ devices: [device], locales: ['en-US', 'en'], httpVersion: '2', strict: true });
  return new Map(Object.entries(drawn).map(([name, value]) => [name.toLowerCase(), value]));
}

/**
 * Whether the fields are of one browser. Some draws mix two: Safari with Chromium's client hints, a phone that says it
 * is none. Chromium without hints is older than 2021.
 */
function agrees(headers: ReadonlyMap<string, string>, userAgent: string, device: Device): boolean {
  const isMobile = /Mobi|Android/.test(userAgent);
  if (isMobile !== (device === 'mobile')) return false;
  if (!userAgent.includes('Chrome/')) return CLIENT_HINTS.every((name) => !headers.has(name));
  const hasHints = CLIENT_HINTS.every((name) => headers.has(name));
  return hasHints && headers.get('sec-ch-ua-mobile') === (isMobile ? '?1' : '?0');
}

function spelled(headers: ReadonlyMap<string, string>): RawHeaders {
  return [...headers].flatMap(([lower, value]) => {
    const name = WIRE_NAMES.get(lower);
    return name === undefined ? [] : [name, value];
  });
}
