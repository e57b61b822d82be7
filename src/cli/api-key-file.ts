// The API key in the data directory: read, or made at first start. Several starts at once end with one key, and a key
// that is there is never written over.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { makeOnce } from '../gateway/kept-file.js';
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
 * Gives the data directory back, where there is one.
 *
 * @throws CliFailure if it was to be in a home directory that this user does not have
 */
export function requireDataDir(dataDir: string | undefined): string {
  if (dataDir !== undefined) return dataDir;
  throw new CliFailure(
    EXIT.badArguments,
    'The home directory of this user is not known, so there is no place for the API key: give a directory with ' +
      '--data-dir, SESSION_PROXY_DATA_DIR or `dataDir` in the configuration file',
  );
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
  const text = await makeOnce(apiKeyFileIn(dataDir), { text: `${made}\n`, mode: 0o600 }).catch((error: unknown) => {
    throw new CliFailure(
      EXIT.failed,
      `No API key could be kept in ${dataDir}: ${reasonOf(error)}; give a directory that can be written to with --data-dir`,
      error,
    );
  });
  // Another start may have made it in the meantime.
  return text.trim() === made ? { apiKey: made, isNew: true } : openApiKey(dataDir);
}

function reasonOf(error: unknown): string {
  return systemCodeOf(error) ?? String(error);
}
