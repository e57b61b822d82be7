// The kinds of values that options hold, as pieces of the schema: each is read by one function and refused in the same
// words. Which option holds which is not known here.

import { isIP } from 'node:net';

import * as z from 'zod';

import { showValue } from './option-faults.js';
import { readCount, readDomain, readDurationMs, readHostName, readSizeBytes } from './option-units.js';

const DURATION_WORDS = '250ms, 12s, 15m, 1h or a number of seconds, at most 24 days';

export const delay = option(readDurationMs, 'a duration', DURATION_WORDS);
export const positiveDuration = option(
  (value) => readDurationMs(value) || undefined,
  'a duration above 0',
  DURATION_WORDS,
);
export const positiveCount = option(
  (value) => readCount(value) || undefined,
  'a number above 0',
  'a whole number, 1 or more',
);
export const size = option(
  (value) => readSizeBytes(value) || undefined,
  'a size above 0',
  '64KB, 100MB (powers of 1024) or a number of bytes',
);
export const flag = option(
  (value) => (typeof value === 'boolean' ? value : undefined),
  'a truth value',
  'true or false',
);
export const hostName = option(
  readHostName,
  'a host name or address',
  'the bare name or address, without scheme and port',
);
export const text = option(
  (value) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined),
  'a text',
  'a text that is not empty',
);
export const country = option(
  (value) => (typeof value === 'string' && /^[a-z]{2}$/i.test(value) ? value.toLowerCase() : undefined),
  'a country',
  'an ISO 3166 code of two letters, such as us',
);
export const address = option(
  (value) => (typeof value === 'string' && isIP(value) !== 0 ? value : undefined),
  'an IP address',
  'an address such as 192.0.2.1 or 2001:db8::1',
);

export const weight = option(
  (value) => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined),
  'a weight',
  'a number above 0; one of 2 gets twice as much as one of 1',
);

/** Asked by the gateway itself, through upstreams. */
export const webUrl = option(
  readWebUrl,
  'a URL to ask',
  'http://host/path or https://host/path, without user and password',
);

export const port = option(readPort, 'a port', 'a number from 0 to 65535, 0 for any that is free');
export const count = option(readCount, 'a number', 'a whole number, 0 or more');
export const banStatus = option(readStatus, 'a status of an answer', 'a number from 200 to 999');
export const domain = option(
  (value) => (value === '*' ? value : typeof value === 'string' ? readDomain(value) : undefined),
  'a domain',
  'example.com, which has its sub-domains with it, or * for all',
);

/** A regular expression. Ours: case is ignored, for nobody knows how a ban page is written tomorrow. */
export const bodyPattern = option(readPattern, 'a regular expression', 'one as JavaScript knows them');

/** A map of domains; a domain and its sub-domains written as `*.example.com` are one. */
export function byDomain<T>(what: string, values: z.ZodType<T>) {
  // Names and values are read in one go, so that a bad one of either kind hides none of the other.
  return z.record(z.string(), z.unknown()).transform((given, context): ReadonlyMap<string, T> => {
    const found = new Map<string, T>();
    for (const [written, value] of Object.entries(given)) {
      const refuse = (message: string): void => context.addIssue({ code: 'custom', message, path: [written] });
      const name = readDomain(written);
      if (name === undefined) refuse(`${showValue(written)} is not a domain name; write example.com`);
      else if (found.has(name)) refuse(`${what} of ${name} is given a second time; keep one`);
      const read = values.safeParse(value, { reportInput: true });
      for (const issue of read.error?.issues ?? []) {
        context.issues.push({ ...issue, path: [written, ...issue.path] } as (typeof context.issues)[number]);
      }
      if (name !== undefined && read.success) found.set(name, read.data);
    }
    return found;
  });
}

/** An option read by a function of ours, so that all are refused in the same words. */
export function option<T>(read: (value: unknown) => T | undefined, what: string, write: string) {
  return z.unknown().transform((value, context): T => {
    const found = read(value);
    if (found !== undefined) return found;
    context.addIssue({ code: 'custom', message: `${showValue(value)} is not ${what}; write ${write}` });
    return z.NEVER;
  });
}

export function oneOf<const T extends string>(...words: readonly T[]) {
  const choices = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return option((value) => words.find((word) => word === value), 'one of the words for it', choices);
}

function readPort(value: unknown): number | undefined {
  const number = readCount(value);
  return number !== undefined && number <= 65_535 ? number : undefined;
}

function readStatus(value: unknown): number | undefined {
  const status = readCount(value);
  return status !== undefined && status >= 200 && status <= 999 ? status : undefined;
}

function readWebUrl(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  const isPlain = url.username === '' && url.password === '' && url.hash === '';
  return isPlain && (url.protocol === 'http:' || url.protocol === 'https:') ? url.href : undefined;
}

function readPattern(value: unknown): RegExp | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  try {
    return new RegExp(value, 'i');
  } catch {
    // Told by the caller, in the words of all options.
    return undefined;
  }
}
