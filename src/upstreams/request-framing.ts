// Completes the head of a request so that where its body ends is said once. Two answers to that question are how one
// request is smuggled inside another. Everything else in the head passes as it is.

import { GatewayError } from '../sessions/errors.js';
import type { RawRequest } from './upstream.js';

/** The head as it goes out. */
export interface FramedHead {
  readonly headers: readonly string[];
  /** Bytes the body has to have; undefined: it is chunked, and ends where it ends. */
  readonly bodyBytes: number | undefined;
  /** Whether it asks for the connection to be closed after the answer. */
  readonly closes: boolean;
}

/** Methods whose requests need no `Content-Length: 0` where they have no body (RFC 9110 section 8.6). */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

const NONE: readonly string[] = [];

/**
 * Completes a head, as `RawRequest.headers` says.
 *
 * @throws GatewayError `bad_request` for a framing that is ambiguous or doesn't go with the body
 */
export function frameHead(request: Pick<RawRequest, 'method' | 'headers' | 'body'>): FramedHead {
  const { headers } = request;
  const connection = valuesOf(headers, 'connection');
  const closes = connection.some((value) => /(?:^|,)\s*close\s*(?:,|$)/i.test(value));
  const { kept, added, bodyBytes } = frameBody(request);
  const missing = connection.length > 0 ? NONE : ['Connection', 'keep-alive'];
  // Most heads come complete, and are not copied.
  const isComplete = missing.length === 0 && added.length === 0;
  return { headers: isComplete ? kept : [...kept, ...missing, ...added], bodyBytes, closes };
}

interface BodyFraming {
  readonly kept: readonly string[];
  readonly added: readonly string[];
  readonly bodyBytes: number | undefined;
}

function frameBody({ method, headers, body }: Pick<RawRequest, 'method' | 'headers' | 'body'>): BodyFraming {
  const codings = valuesOf(headers, 'transfer-encoding');
  const lengths = valuesOf(headers, 'content-length');
  if (codings.length > 0) {
    if (!/(?:^|,)\s*chunked\s*$/i.test(codings.join(','))) {
      throw new GatewayError('bad_request', `Transfer-Encoding ${codings.join(', ')} must end in chunked`);
    }
    return { kept: without(headers, 'content-length'), added: NONE, bodyBytes: undefined };
  }
  if (lengths.length > 0) return { kept: headers, added: NONE, bodyBytes: readLength(lengths, body !== undefined) };
  if (body !== undefined) return { kept: headers, added: ['Transfer-Encoding', 'chunked'], bodyBytes: undefined };
  return { kept: headers, added: BODILESS.has(method) ? NONE : ['Content-Length', '0'], bodyBytes: 0 };
}

/** Leaves out all headers of a name, given in lower case. */
export function without(headers: readonly string[], name: string): string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]?.toLowerCase() !== name);
}

/** All values of a field, whose name is given in lower case. */
function valuesOf(headers: readonly string[], name: string): readonly string[] {
  let values: string[] | undefined;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const field = headers[index] as string;
    // Lengths first: asked for each field of each request, lower case costs more than all the rest.
    if (field.length === name.length && field.toLowerCase() === name)
      (values ??= []).push(headers[index + 1] as string);
  }
  return values ?? NONE;
}

function readLength(lengths: readonly string[], hasBody: boolean): number {
  const [text = '', ...more] = lengths;
  if (more.length > 0 || !/^\d{1,15}$/.test(text)) {
    throw new GatewayError('bad_request', `Content-Length ${lengths.join(', ')} is not one number`);
  }
  const length = Number(text);
  if (length > 0 && !hasBody) {
    throw new GatewayError('bad_request', `Content-Length says ${length} bytes, and there is no body`);
  }
  return length;
}
