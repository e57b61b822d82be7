// Asks for a URL that the user named, through one upstream: a small request of the gateway's own. What the answer means is
// the caller's.

import { GatewayError } from '../sessions/errors.js';
import { toGatewayError } from './dial-errors.js';
import { bracketed } from './target-address.js';
import type { GiveUp, Upstream } from './upstream.js';

/** Bytes of an answer that are read. Whatever is asked for here is shorter. */
const MAX_BYTES = 16 * 1024;

/** What is asked, and how. */
export interface UrlQuestion {
  /** `http://` or `https://`. */
  readonly url: string;
  /** Whether the certificate of an `https://` one is verified. */
  readonly verify: boolean;
  readonly signal: GiveUp;
}

/** The answer. */
export interface UrlAnswer {
  readonly status: number;
  /** At most 16 KiB of its body. */
  readonly text: string;
}

/**
 * Asks for a URL on a connection of its own.
 *
 * @throws GatewayError as the upstream does
 */
export async function askThrough(upstream: Upstream, { url, verify, signal }: UrlQuestion): Promise<UrlAnswer> {
  const { protocol, hostname, host, port, pathname, search } = new URL(url);
  const isSecure = protocol === 'https:';
  const answer = await upstream.request({
    method: 'GET',
    target: { host: bare(hostname), port: port === '' ? (isSecure ? 443 : 80) : Number(port) },
    path: `${pathname}${search}`,
    headers: ['Host', host, 'Accept', 'application/json, text/plain, */*', 'Connection', 'close'],
    body: undefined,
    signal,
    onSent: () => undefined,
    secure: isSecure ? { verify } : undefined,
  });
  try {
    return { status: answer.statusCode ?? 0, text: await readStart(answer) };
  } catch (error) {
    throw toGatewayError(error, `Reading the answer of ${bracketed(bare(hostname))} through ${upstream.id}`);
  } finally {
    answer.destroy();
  }
}

async function readStart(body: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) throw new GatewayError('internal_error', 'The body of an answer is no bytes');
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BYTES).toString('utf8');
}

/** Takes the brackets off the host of a URL, as targets have it. */
export function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
