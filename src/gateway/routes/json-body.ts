// Bodies of the JSON API: read within a size and a time, declared to be JSON, and of the shape that is wanted.

import type { z } from 'zod';
import { GatewayError } from '../../sessions/errors.js';
import type { RouteContext } from './frame.js';

const MAX_BODY_BYTES = 64 * 1024;
const BODY_TIMEOUT_MS = 30_000;

/** A body that is not declared to be JSON: 415, a status of this API alone. */
export class UnsupportedBody extends Error {
  override readonly name = 'UnsupportedBody';

  constructor(type: string) {
    super(`Send the body as content-type application/json, not ${type === '' ? 'without a type' : `"${type}"`}`);
  }
}

/**
 * Reads the body of a request; none is `{}`.
 *
 * @param what what it describes, for the message
 * @throws GatewayError `bad_request`, `request_too_large`; UnsupportedBody
 */
export async function readJsonBody<T>(c: RouteContext, schema: z.ZodType<T>, what: string): Promise<T> {
  const text = await readText(c);
  const type = c.req.header('content-type') ?? '';
  if (text !== '' && !/^application\/json\s*(?:;|$)/i.test(type)) throw new UnsupportedBody(type);
  const parsed = schema.safeParse(text === '' ? {} : parseJson(text));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '));
  throw new GatewayError('bad_request', `The body is no description of ${what}: ${faults.join('; ')}`);
}

/** hono's own body limit needs the global Request replaced, which a library must not do. */
async function readText(c: RouteContext): Promise<string> {
  const { incoming } = c.env;
  const timer = setTimeout(() => incoming.destroy(), BODY_TIMEOUT_MS);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > MAX_BODY_BYTES) throw bodyTooLarge();
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError('client_conn_closed', 'The body did not arrive whole, or in time', { cause: error });
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function bodyTooLarge(): GatewayError {
  return new GatewayError('request_too_large', `A body may have at most ${MAX_BODY_BYTES} bytes`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new GatewayError('bad_request', `The body is not JSON: ${(error as Error).message}`);
  }
}
