// How the faults of a configuration are told: one line each, with path, origin, what was wrong and what to write.
// Which values are good is not known here; keys, passwords and what may hold them are never shown.

import { distance } from 'fastest-levenshtein';

/** Where a value stands in the configuration: `['delays', 'default']`, `['upstreams', 0, 'url']`. */
export type OptionPath = readonly PropertyKey[];

/** Tells where a value came from, in words that follow "from": `--delay`, `SESSION_PROXY_DELAY`, a file's name. */
export type OriginOf = (path: OptionPath) => string | undefined;

/** One thing that is wrong with a configuration. */
export interface ConfigurationFault {
  /** As one would write it in a program: `delays.default`, `upstreams[0]`. */
  readonly path: string;
  /** What was wrong, with the value where it is no secret, and what to write. */
  readonly message: string;
  /** The flag, environment variable or file it came from, where that is known. */
  readonly origin: string | undefined;
}

/**
 * A configuration that was refused; nothing was started. The message lists every fault on a line of its own and
 * holds no API key and no password.
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly faults: readonly ConfigurationFault[];

  constructor(faults: readonly ConfigurationFault[]) {
    super(['The configuration was refused:', ...faults.map((fault) => `  ${lineOf(fault)}`)].join('\n'));
    this.faults = faults;
  }
}

/** Writes a path as one would write it in a program. */
export function writePath(path: OptionPath): string {
  return path.reduce<string>((written, part) => {
    if (typeof part === 'number') return `${written}[${part}]`;
    // Someone may have written a URL where a key was meant.
    const name = redactUserInfo(String(part));
    return written === '' ? name : `${written}.${name}`;
  }, '');
}

/** Shows a value in a message: short, on one line, without what may be a user and password before an `@`. */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const shown = JSON.stringify(typeof value === 'string' ? redactUserInfo(value) : value) ?? typeof value;
  return shown.length > 80 ? `${shown.slice(0, 77)}…"` : shown;
}

/** Takes out what may be a user and password: everything between the scheme and the last `@`. */
function redactUserInfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1***@');
}

/** Finds the known name that is nearest to what was written, whatever its case, hyphens and underscores. */
export function nearestName(written: string, known: readonly string[]): string | undefined {
  const ranked = known.map((name) => ({ name, far: distance(plain(written), plain(name)) }));
  return ranked.toSorted((a, b) => a.far - b.far)[0]?.name;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

function lineOf({ path, message, origin }: ConfigurationFault): string {
  const from = origin === undefined ? '' : ` (from ${origin})`;
  return path === '' ? `${message}${from}` : `${path}${from}: ${message}`;
}
