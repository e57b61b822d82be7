// The small words of a configuration and how each is read: durations, sizes, counts, names. Every reader takes what a
// file, a flag or a program may hand over and gives undefined for anything it can't read; which option it is for is
// not known here.

import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

// Ours: KB is 1024 bytes, as in nginx, Squid and Node's own limits; whoever counts in thousands gets a little more.
const UNIT_BYTES = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 } as const;

/** Longest duration an option takes, in milliseconds: Node's timers hold no more (24 days and 20 hours). */
const MAX_DURATION_MS = 2 ** 31 - 1;

/**
 * Reads a duration into whole milliseconds: `250ms`, `12s`, `15m`, `1h`, or a number of seconds. What is above 0 and
 * below a millisecond becomes 1, for 0 means something else.
 */
export function readDurationMs(value: unknown): number | undefined {
  const parts = readQuantity(value);
  if (parts === undefined) return undefined;
  const unitMs = parts.unit === '' ? UNIT_MS.s : lookUp(UNIT_MS, parts.unit);
  if (unitMs === undefined) return undefined;
  const ms = parts.amount * unitMs;
  if (ms > MAX_DURATION_MS) return undefined;
  return ms === 0 ? 0 : Math.max(1, Math.round(ms));
}

/** Reads a size into whole bytes: `64KB`, `100MB` (powers of 1024, any case), or a number of bytes. */
export function readSizeBytes(value: unknown): number | undefined {
  const parts = readQuantity(value);
  if (parts === undefined) return undefined;
  const unitBytes = parts.unit === '' ? 1 : lookUp(UNIT_BYTES, parts.unit.toLowerCase());
  if (unitBytes === undefined) return undefined;
  const bytes = parts.amount * unitBytes;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Reads a whole number that is not negative, written as number or digits. */
export function readCount(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** Reads a host name or address as a URL normalises it, without brackets: lower case, no trailing dot, IDN in ASCII. */
export function readHostName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const bare = value.trim().replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) === 4) return bare;
  if (isIP(bare) === 6) return new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  // `domainToASCII` would cut a path off and decode percents, where the user has given something other than a name.
  if (/[\s/\\?#@:%]/.test(bare)) return undefined;
  const ascii = domainToASCII(bare).replace(/\.$/, '');
  return ascii.length <= 253 && ascii.split('.').every(isLabel) ? ascii : undefined;
}

/** Reads a domain whose sub-domains are meant too, so that `*.example.com` and `example.com` are one. */
export function readDomain(value: string): string | undefined {
  return readHostName(value.trim().replace(/^\*\./, ''));
}

function isLabel(label: string): boolean {
  // The underscore is no letter of host names, but names with one are served and asked for.
  return /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label);
}

function readQuantity(value: unknown): { readonly amount: number; readonly unit: string } | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? { amount: value, unit: '' } : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)$/i.exec(value.trim());
  return match === null ? undefined : { amount: Number(match[1]), unit: match[2] ?? '' };
}

function lookUp(units: Readonly<Record<string, number>>, unit: string): number | undefined {
  return Object.hasOwn(units, unit) ? units[unit] : undefined;
}
