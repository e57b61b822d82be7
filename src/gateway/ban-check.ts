// Holds an answer against a ban rule. The beginning of a page is read for that and put back, so that whoever relays
// the answer finds it whole. Never waits for more of a page than it looks at, nor long for a slow one.

import type { IncomingMessage } from 'node:http';
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { type BanRule, isBanPage } from '../sessions/ban.js';

/** How much of a page is looked at, as it came and again when it is decoded. */
const PAGE_BYTES = 64 * 1024;

/**
 * How long the beginning of a page may take to come, in milliseconds; then what is there is looked at. Ours: a page that
 * tells of a ban is small, and one that is written bit by bit is not to be kept from its reader.
 */
const PAGE_WITHIN_MS = 2000;

/** What has text to look at, or does not say; a stream of events has no end to wait for. */
const TEXT = /^(?:$|text\/(?!event-stream)|application\/(?:[\w.+-]*(?:json|xml|javascript|html)))/i;

/**
 * Whether an answer means that its target has banned the outgoing IP: at once where its page need not be read.
 *
 * @param answer nothing of whose body was read; all of it still can be, afterwards
 * @throws what the body breaks off with before enough of it has come
 */
export function isBan(answer: IncomingMessage, rule: BanRule): boolean | Promise<boolean> {
  if (rule.statuses.has(answer.statusCode ?? 0)) return true;
  if (rule.bodyPatterns.length === 0 || !TEXT.test(answer.headers['content-type'] ?? '')) return false;
  return isBanned(answer, rule);
}

async function isBanned(answer: IncomingMessage, rule: BanRule): Promise<boolean> {
  return isBanPage(await decode(await peek(answer), answer.headers['content-encoding']), rule);
}

/** Reads the beginning of a body and puts it back. */
function peek(answer: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (): void => {
      clearTimeout(timer);
      answer.off('readable', onReadable).off('close', finish).off('error', fail);
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const finish = (): void => {
      stop();
      const page = Buffer.concat(chunks);
      if (bytes > 0) answer.unshift(page);
      resolve(page.subarray(0, PAGE_BYTES));
    };
    const onReadable = (): void => {
      for (let chunk = read(answer); chunk !== undefined; chunk = read(answer)) {
        chunks.push(chunk);
        bytes += chunk.length;
      }
      if (answer.complete || bytes >= PAGE_BYTES) finish();
    };
    const timer = setTimeout(finish, PAGE_WITHIN_MS);
    answer.on('readable', onReadable).once('close', finish).once('error', fail);
  });
}

function read(answer: IncomingMessage): Buffer | undefined {
  return (answer.read() as Buffer | null) ?? undefined;
}

/** Decodes the beginning of a page, as far as that goes. */
async function decode(page: Buffer, coding = ''): Promise<string> {
  const name = coding.trim().toLowerCase();
  if (name === '' || name === 'identity') return page.toString('utf8');
  const decoder = decoderOf(name, page);
  if (decoder === undefined) return '';
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Leaving the loop destroys the decoder: of a page made to grow without end, this much is unpacked and no more.
    for await (const chunk of decoder.end(page) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= PAGE_BYTES) break;
    }
  } catch {
    // Not what its coding says, from here on: what came before can be looked at, and the client gets it as it is.
  }
  return Buffer.concat(chunks).toString('utf8', 0, PAGE_BYTES);
}

/** Undefined for what is not known here, such as a list of codings. */
function decoderOf(name: string, page: Buffer) {
  // The page may be cut; what its last bytes mean is of no interest.
  const beginning = { finishFlush: constants.Z_SYNC_FLUSH };
  if (name === 'gzip' || name === 'x-gzip') return createGunzip(beginning);
  // Half the servers that say `deflate` leave out the wrapping that it stands for; that begins with 8.
  if (name === 'deflate') return ((page[0] ?? 0) & 15) === 8 ? createInflate(beginning) : createInflateRaw(beginning);
  if (name === 'br') return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
  return undefined;
}
