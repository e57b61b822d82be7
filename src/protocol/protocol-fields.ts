// One control header at a time: whether it is there, how often, and whether its value is one that it takes. Which
// headers there are, and what a value is then used for, is not known here.

import { GatewayError } from '../sessions/errors.js';
import { isProtocolHeader, readFieldName, SPM_PREFIX, ZYTE_PREFIX } from './header-names.js';
import type { RawHeaders } from './raw-headers.js';

/** The fields of the protocol on one request: names in lower case, with all their values in order. */
export type ProtocolFields = ReadonlyMap<string, readonly string[]>;

/** Characters of a value that an error message repeats. */
export const QUOTED_CHARACTERS = 60;

/** Characters of an opaque value that are kept. */
const OPAQUE_CHARACTERS = 200;

const NO_VALUES: readonly string[] = [];
/** Those of a request that has none. */
export const NO_FIELDS: ProtocolFields = new Map();
const NO_NAMES: ReadonlySet<string> = new Set();
/** What a field of the protocol starts with, in either case: most fields don't, and need no lower case. */
const FIRST_LETTERS = new Set(
  [SPM_PREFIX, ZYTE_PREFIX].flatMap((name) => [name.charCodeAt(0), name.toUpperCase().charCodeAt(0)]),
);
const FIELD_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const COUNTRY = { pattern: /^[a-z]{2}$/i, takes: 'two letters, such as us' };
const TEXT = { pattern: /./s, takes: 'a text' };

/**
 * Collects the fields of the protocol. `defaults` are fields of the CONNECT that the request came through; one of
 * them counts only where the request has no field of that name.
 */
export function protocolFieldsOf(headers: RawHeaders, defaults: RawHeaders = []): ProtocolFields {
  const own = collect(headers);
  const given = collect(defaults);
  if (given.size === 0) return own;
  return own.size === 0 ? given : new Map([...given, ...own]);
}

/** All values of a field; none where it isn't there. */
export function fieldValues(fields: ProtocolFields, name: string): readonly string[] {
  // Most requests have none at all, and every request is asked for each.
  if (fields.size === 0) return NO_VALUES;
  return fields.get(readFieldName(name).lowerCase) ?? NO_VALUES;
}

/** Whether a field stands there, with whatever value. @throws GatewayError `bad_header` if it stands there twice */
export function readPresence(fields: ProtocolFields, name: string): boolean {
  return onlyValue(fields, name) !== undefined;
}

/**
 * Reads the value of a field that takes what matches `pattern`; `takes` says the same in words. Undefined where the
 * field isn't there.
 *
 * @throws GatewayError `bad_header` if it stands there twice, is empty, or has another value
 */
export function readMatch(
  fields: ProtocolFields,
  name: string,
  { pattern, takes }: { readonly pattern: RegExp; readonly takes: string },
): string | undefined {
  const value = onlyValue(fields, name);
  if (value !== undefined && !pattern.test(value)) throw badValue({ name, value, takes });
  return value;
}

/** Reads a field that takes one of `words`, in any case. @throws GatewayError `bad_header` as `readMatch` does */
export function readWord<Word extends string>(
  fields: ProtocolFields,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const value = onlyValue(fields, name);
  if (value === undefined) return undefined;
  const word = words.find((candidate) => candidate === value.toLowerCase());
  if (word === undefined) throw badValue({ name, value, takes: words.join(', ') });
  return word;
}

/** Reads a country, in lower case. @throws GatewayError `bad_header` as `readMatch` does */
export function readCountry(fields: ProtocolFields, name: string): string | undefined {
  return readMatch(fields, name, COUNTRY)?.toLowerCase();
}

/**
 * Reads a list of field names, in lower case. Empty items are skipped, as in every list of HTTP.
 *
 * @throws GatewayError `bad_header` if it stands there twice, lists none, or one that is no name of a field
 */
export function readFieldNames(fields: ProtocolFields, name: string): ReadonlySet<string> {
  const value = onlyValue(fields, name);
  if (value === undefined) return NO_NAMES;
  const names = itemsOf(value);
  const isGood = names.length > 0 && names.every((item) => FIELD_NAME.test(item));
  if (!isGood) throw badValue({ name, value, takes: 'names of header fields, joined by commas' });
  return new Set(names);
}

/** Reads a list of words, in lower case, whatever they are. @throws GatewayError `bad_header` if twice or empty */
export function readWords(fields: ProtocolFields, name: string): readonly string[] {
  const text = readText(fields, name);
  return text === undefined ? NO_VALUES : itemsOf(text);
}

/**
 * Reads a value that means something to the client alone, fit for a log line: its first 200 characters, control
 * characters made spaces.
 *
 * @throws GatewayError `bad_header` if it stands there twice or is empty
 */
export function readOpaque(fields: ProtocolFields, name: string): string | undefined {
  return readText(fields, name)
    ?.slice(0, OPAQUE_CHARACTERS)
    .replaceAll(/\p{Cc}/gu, ' ');
}

/** The error of a field that stands on one request more than once, in words. */
export function repeatedText(name: string, times: number): string {
  return `${name} stands ${times} times; send it once`;
}

/** The error of a bad value, in words. */
export function badValueText({ name, value, takes }: BadValue): string {
  return `${name} is "${value.slice(0, QUOTED_CHARACTERS)}"; it takes ${takes}`;
}

interface BadValue {
  readonly name: string;
  readonly value: string;
  readonly takes: string;
}

function readText(fields: ProtocolFields, name: string): string | undefined {
  return readMatch(fields, name, TEXT);
}

function collect(raw: RawHeaders): ProtocolFields {
  let found: Map<string, string[]> | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const field = raw[index] as string;
    if (!FIRST_LETTERS.has(field.charCodeAt(0))) continue;
    const name = readFieldName(field).lowerCase;
    if (!isProtocolHeader(name)) continue;
    found ??= new Map();
    const values = found.get(name);
    if (values === undefined) found.set(name, [raw[index + 1] as string]);
    else values.push(raw[index + 1] as string);
  }
  return found ?? NO_FIELDS;
}

function onlyValue(fields: ProtocolFields, name: string): string | undefined {
  const values = fieldValues(fields, name);
  if (values.length > 1) throw new GatewayError('bad_header', repeatedText(name, values.length));
  return values[0]?.trim();
}

function itemsOf(list: string): string[] {
  return list
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '');
}

function badValue(bad: BadValue): GatewayError {
  return new GatewayError('bad_header', badValueText(bad));
}
