// Asks for a list at a URL the user named, again and again. It is asked directly: an upstream may be what is missing.

import { UpstreamListError } from './upstream-list.js';
import type { SourceTimes, TextListener, WatchedText } from './upstream-source.js';

/** The longest list, in bytes: a hundred thousand upstreams. */
const MAX_BYTES = 16 * 1024 ** 2;

/** Whether a location is asked for, and not a file. */
export function isWebUrl(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/** Makes the watch of a URL. @param name the URL without credentials */
export function watchUrl(url: string, name: string, times: SourceTimes): WatchedText {
  const { askEveryMs = 60_000, answerWithinMs = 15_000 } = times;
  const closing = new AbortController();
  const state: { tag: string | undefined; text: string | undefined } = { tag: undefined, text: undefined };
  let timer: NodeJS.Timeout | undefined;

  async function read(): Promise<string> {
    try {
      return await ask(url, state, AbortSignal.any([closing.signal, AbortSignal.timeout(answerWithinMs)]));
    } catch (error) {
      throw new UpstreamListError(`${name} could not be read: ${reasonOf(error)}`, { cause: error });
    }
  }

  async function readAgain({ onText, onFault }: TextListener): Promise<void> {
    const before = state.text;
    const outcome = await read().catch((error: unknown) => error);
    if (closing.signal.aborted) return;
    if (outcome instanceof UpstreamListError) onFault(outcome);
    else if (typeof outcome === 'string' && outcome !== before) onText(outcome);
  }

  function watch(listener: TextListener): void {
    timer = setTimeout(() => void readAgain(listener).finally(() => watch(listener)), askEveryMs);
    timer.unref();
    if (closing.signal.aborted) clearTimeout(timer);
  }

  return {
    read,
    watch,
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

/** What was read last, and the tag by which the server knows it. */
interface LastAnswer {
  tag: string | undefined;
  text: string | undefined;
}

async function ask(url: string, last: LastAnswer, signal: AbortSignal): Promise<string> {
  const { href, authorization } = splitCredentials(url);
  const headers = new Headers({ Accept: 'text/plain, */*' });
  if (authorization !== undefined) headers.set('Authorization', authorization);
  if (last.tag !== undefined) headers.set('If-None-Match', last.tag);
  const answer = await fetch(href, { headers, signal });
  if (answer.status === 304 && last.text !== undefined) return last.text;
  if (!answer.ok) throw new Error(`it was answered with status ${answer.status}`);
  last.text = await readText(answer);
  last.tag = answer.headers.get('etag') ?? undefined;
  return last.text;
}

/** `fetch` refuses a URL with credentials in it. */
function splitCredentials(url: string): { readonly href: string; readonly authorization: string | undefined } {
  const parsed = new URL(url);
  const { username, password } = parsed;
  if (username === '' && password === '') return { href: url, authorization: undefined };
  parsed.username = '';
  parsed.password = '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { href: parsed.href, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The cause says more than "fetch failed"; neither quotes credentials, which were taken out of the URL. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}
