// What is wrong with a configuration, as paths and sentences: the schema's findings in our words, and what no single
// option can tell, such as limits that contradict each other. Where values came from is not known here.

import type { z } from 'zod';

import { resolveUpstreams } from '../upstreams/upstream-url.js';
import { nearestName, showValue, writePath } from './option-faults.js';
import type { OptionPath } from './option-faults.js';
import { knownNamesAt, optionSchema, OPTIONS_OF_LATER_VERSIONS, pathsOfName } from './option-schema.js';
import type { CheckedOptions } from './option-schema.js';
import { readDurationMs } from './option-units.js';

export const NO_UPSTREAM =
  'no upstream is configured, so nothing could go out; give one or more as --upstream http://user:password@host:port, ' +
  'SESSION_PROXY_UPSTREAMS, the list `upstreams`, or --upstreams-file FILE (direct:// leaves from the own address of this machine)';

/** A fault, and where it stands. */
export interface Finding {
  readonly at: OptionPath;
  readonly message: string;
}

/**
 * Holds options against the schema and against each other.
 *
 * @returns what the schema made of them, or everything that is wrong with them: one bad value hides no other
 */
export function checkOptions(options: unknown): CheckedOptions | readonly Finding[] {
  const checked = optionSchema.safeParse(options, { reportInput: true });
  const found = (checked.error?.issues ?? []).flatMap((issue) => findingsOf(issue, options));
  const findings = [
    ...found,
    ...limitFindings(options),
    ...caFindings(options),
    ...upstreamFindings(options, checked.data),
  ];
  return checked.success && findings.length === 0 ? checked.data : findings;
}

function findingsOf(issue: z.core.$ZodIssue, options: unknown): readonly Finding[] {
  const { code, message, input } = issue;
  const at = asWritten(issue.path, options);
  if (code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(at, key));
  if (code !== 'invalid_type') return [{ at, message }];
  const isList = issue.expected === 'array';
  const found = hasSecrets(at) ? 'this' : showValue(input);
  const write = isList ? 'a list; write it as [one, two]' : 'a map of options; write it as {name: value}';
  return [{ at, message: `${found} is not ${write}` }];
}

function unknownKey(at: OptionPath, key: string): Finding {
  const path = [...at, key];
  const anyIndex = path.map((part) => (typeof part === 'number' ? '[]' : String(part))).join('.');
  if (OPTIONS_OF_LATER_VERSIONS.has(anyIndex.replaceAll('.[]', '[]'))) {
    return { at: path, message: 'this option is not in this version; leave it out' };
  }
  const nearest = pathsOfName(key)[0] ?? [...at, nearestName(key, knownNamesAt(at)) ?? ''];
  return { at: path, message: `no option has this name; the nearest is ${writePath(nearest)}` };
}

function limitFindings(options: unknown): readonly Finding[] {
  const given = memberOf(options, 'delays');
  const defaults = optionSchema.shape.delays.parse({});
  const limitMs = (name: 'softLimit' | 'maxHold' | 'hardLimit'): number | undefined => {
    const value = memberOf(given, name);
    return value === undefined ? defaults[name] : readDurationMs(value);
  };
  const hardMs = limitMs('hardLimit');
  return (['softLimit', 'maxHold'] as const).flatMap((name) => {
    const ms = limitMs(name);
    // What can't be read was found already.
    if (ms === undefined || hardMs === undefined || ms <= hardMs) return [];
    const message = `${ms / 1000}s is above delays.hardLimit, ${hardMs / 1000}s; lower it, or raise delays.hardLimit`;
    return [{ at: ['delays', name], message }];
  });
}

function caFindings(options: unknown): readonly Finding[] {
  const given = memberOf(options, 'ca');
  const missing = (['cert', 'key'] as const).filter((name) => memberOf(given, name) === undefined);
  if (missing.length !== 1) return [];
  const message = 'a certificate authority is a certificate and its key; give both, or none';
  return missing.map((name) => ({ at: ['ca', name], message }));
}

function upstreamFindings(options: unknown, checked: CheckedOptions | undefined): readonly Finding[] {
  if (typeof options !== 'object') return [];
  const at = ['upstreams'];
  const given = memberOf(options, 'upstreams');
  const isNone = given === undefined || (Array.isArray(given) && given.length === 0);
  // What is in the file is seen when it is read.
  if (isNone && memberOf(options, 'upstreamsFile') === undefined) return [{ at, message: NO_UPSTREAM }];
  try {
    // What is wrong with one alone was found already; this is about two of one name.
    if (checked !== undefined) resolveUpstreams(checked.upstreams);
  } catch (error) {
    return [{ at, message: error instanceof Error ? error.message : String(error) }];
  }
  return [];
}

/** The path as the user knows it: an upstream that is only a URL has no member `url`. */
function asWritten(at: OptionPath, options: unknown): OptionPath {
  if (at[0] !== 'upstreams' || at[2] !== 'url') return at;
  return typeof memberOf(memberOf(options, 'upstreams'), String(at[1])) === 'string' ? at.slice(0, 2) : at;
}

function hasSecrets(at: OptionPath): boolean {
  return at[0] === 'apiKeys' || at[0] === 'upstreams';
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}
