// Reads what the head of an answer says of its body, and makes it say it once: parsing is lenient, because servers are
// sloppy, so this is where two readings of one answer are kept from meaning two answers.

import type { IncomingMessage } from 'node:http';

/**
 * Takes out of a head what contradicts how the body was read: white space behind a name, and `Content-Length` beside
 * `Transfer-Encoding` (RFC 9112 section 6.3). To be called before anything asks for `headers`, which Node makes of
 * `rawHeaders` when it is first asked.
 *
 * @returns whether the end of the body could be read in another way, too: whatever comes behind it on that connection
 *   may be part of it, so that the connection is not to be used again
 */
export function settleFraming(answer: IncomingMessage): boolean {
  const { rawHeaders } = answer;
  const hadSpaces = trimNames(rawHeaders);
  const { headers } = answer;
  if (headers['transfer-encoding'] === undefined) return hadSpaces;
  if (headers['content-length'] === undefined) return hadSpaces || answer.httpVersionMinor === 0;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]?.toLowerCase() === 'content-length') rawHeaders.splice(index, 2);
  }
  delete headers['content-length'];
  return true;
}

/** Says why an answer that Node has parsed can't be passed on; undefined where it can. */
export function faultOf({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  if (statusCode < 200) return `the answer has the status ${statusCode}, which ends no request`;
  const codings = headers['transfer-encoding'];
  if (codings === undefined || codings === 'chunked') return undefined;
  return isPlain(codings) ? undefined : `the answer is coded as ${codings}, which ends at this gateway`;
}

/** Whether nothing but chunks is to be undone: `chunked`, or `identity` for a body that ends with its connection. */
function isPlain(codings: string): boolean {
  // Of white space the parser knows only these two; to it, `\v chunked` is another coding.
  const names = codings.toLowerCase().split(/[ \t]*,[ \t]*/);
  const real = names.filter((name) => name !== '' && name !== 'identity');
  return real.every((name) => name === 'chunked') && (real.length === 0 || names.at(-1) === 'chunked');
}

/** Node lets white space stand behind the names that it reads itself, such as `Content-Length :`. */
function trimNames(rawHeaders: string[]): boolean {
  let found = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!name.endsWith(' ')) continue;
    rawHeaders[index] = name.trimEnd();
    found = true;
  }
  return found;
}
