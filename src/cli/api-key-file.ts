// The API key in the data directory: read, or made at first start. Several starts at once end with one key, and a key
// that is there is never written over.

import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { CliFailure, EXIT, systemCodeOf } from './failure.js';

/** The key, and whether this call made it. */
export interface OpenedApiKey {
  readonly apiKey: string;
  readonly isNew: boolean;
}

/** Names the file that holds the API key. */
export function apiKeyFileIn(dataDir: string): string {
  return path.join(dataDir, 'api-key');
}

/**
 * Reads the key of a data directory; undefined if none was made yet.
 *
 * @throws CliFailure if the file can't be read, or holds something else
 */
export async function readApiKey(dataDir: string): Promise<string | undefined> {
  const file = apiKeyFileIn(dataDir);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw new CliFailure(EXIT.failed, `The API key in ${file} could not be read: ${reasonOf(error)}`, error);
  });
  const apiKey = text?.trim();
  if (apiKey === undefined || /^[0-9A-Za-z._~-]{8,128}$/.test(apiKey)) return apiKey;
  throw new CliFailure(
    EXIT.failed,
    `The file ${file} does not hold an API key; delete it, and the next start makes one`,
  );
}

/**
 * Reads the key of a data directory, and makes directory (0700) and key (0600) first where there are none.
 *
 * @throws CliFailure if that can't be done
 */
export async function openApiKey(dataDir: string): Promise<OpenedApiKey> {
  const kept = await readApiKey(dataDir);
  if (kept !== undefined) return { apiKey: kept, isNew: false };
  const made = randomBytes(16).toString('hex');
  const isNew = await keepApiKey(dataDir, made).catch((error: unknown) => {
    throw new CliFailure(
      EXIT.failed,
      `No API key could be kept in ${dataDir}: ${reasonOf(error)}; see --data-dir`,
      error,
    );
  });
  return isNew ? { apiKey: made, isNew } : openApiKey(dataDir);
}

/** Writes the key whole under another name and links it: of several starts at once one link succeeds. */
async function keepApiKey(dataDir: string, apiKey: string): Promise<boolean> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = path.join(dataDir, `.api-key-${randomUUID()}`);
  try {
    await writeFile(draft, `${apiKey}\n`, { flag: 'wx', mode: 0o600, flush: true });
    await link(draft, apiKeyFileIn(dataDir));
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function reasonOf(error: unknown): string {
  return systemCodeOf(error) ?? String(error);
}
