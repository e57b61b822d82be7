// Reads a list of upstreams as text: one URL a line. Where the text comes from is not known here. What is wrong is said
// with credentials left out.

import { resolveUpstream } from './upstream-url.js';

/** A list that can't be used; the message says which line is to blame, and holds no credentials. */
export class UpstreamListError extends Error {
  override readonly name = 'UpstreamListError';
  /** Counted from 1; undefined where the whole is at fault. */
  readonly line: number | undefined;

  constructor(message: string, details: { readonly line?: number | undefined; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.line = details.line;
  }
}

/**
 * Reads a list: one upstream URL a line; blank lines, and what follows a `#` at the start of a line or behind a space,
 * count for nothing.
 *
 * @param name what the list is called, for the message
 * @throws UpstreamListError for the first line that is no upstream
 */
export function readUpstreamList(text: string, name: string): readonly string[] {
  return text.split(/\r\n|\r|\n/).flatMap((written, index) => {
    const url = written
      .replace(/^\uFEFF/, '')
      .replace(/(^|\s)#.*$/, '')
      .trim();
    if (url === '') return [];
    try {
      resolveUpstream(url);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UpstreamListError(`${name}, line ${index + 1}: ${why}`, { line: index + 1 });
    }
    return [url];
  });
}
