// Holds an answer against a ban rule. The beginning of a page is read for that and put back, so that whoever relays
// the answer finds it whole.

import type { IncomingMessage } from 'node:http';
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib';
import { type BanRule, isBanPage } from '../sessions/ban.js';

/** How much of a page is looked at. */
const PAGE_BYTES = 64 * 1024;

/** What a page may grow to when it is decoded; larger ones are not looked at. */
const DECODED_BYTES = 4 * 1024 * 1024;

const TEXT = /^(?:$|text\/|application\/(?:[\w.+-]*(?:json|xml|javascript|html)))/i;

/**
 * Whether an answer means that its target has banned the outgoing IP.
 *
 * @param answer nothing of whose body was read; all of it still can be, afterwards
 */
export async function isBan(answer: IncomingMessage, rule: BanRule): Promise<boolean> {
  if (rule.statuses.has(answer.statusCode ?? 0)) return true;
  if (rule.bodyPatterns.length === 0 || !TEXT.test(answer.headers['content-type'] ?? '')) return false;
  return isBanPage(decode(await peek(answer), answer.headers['content-encoding']), rule);
}

/** Reads the beginning of a body and puts it back. */
function peek(answer: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (): void => {
      answer.off('readable', onReadable).off('close', finish);
      const page = Buffer.concat(chunks);
      // A broken answer is not put together again: its error is told where it is relayed.
      if (bytes > 0 && !answer.destroyed) answer.unshift(page);
      resolve(page.subarray(0, PAGE_BYTES));
    };
    const onReadable = (): void => {
      for (let chunk = read(answer); chunk !== undefined; chunk = read(answer)) {
        chunks.push(chunk);
        bytes += chunk.length;
      }
      if (answer.complete || bytes >= PAGE_BYTES) finish();
    };
    answer.on('readable', onReadable).once('close', finish);
  });
}

function read(answer: IncomingMessage): Buffer | undefined {
  return (answer.read() as Buffer | null) ?? undefined;
}

/** Decodes the beginning of a page; empty where it can't be. */
function decode(page: Buffer, coding = ''): string {
  try {
    return decompress(page, coding.trim().toLowerCase()).toString('utf8');
  } catch {
    // Not what its coding says, or far too large: there is no text to look at, and the client gets it as it is.
    return '';
  }
}

function decompress(page: Buffer, coding: string): Buffer {
  const beginning = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: DECODED_BYTES };
  if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(page, beginning);
  if (coding === 'deflate') return inflateSync(page, beginning);
  if (coding !== 'br') return page;
  return brotliDecompressSync(page, {
    finishFlush: constants.BROTLI_OPERATION_FLUSH,
    maxOutputLength: DECODED_BYTES,
  });
}
