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
  const isNew = await keepApiKey(dataDir, made).catch((error: unknown) => {
    throw new CliFailure(
      EXIT.failed,
      `No API key could be kept in ${dataDir}: ${reasonOf(error)}; give a directory that can be written to with --data-dir`,
      error,
    );
  });
  return isNew ? { apiKey: made, isNew } : openApiKey(dataDir);
}

/** Writes the key whole under another name and links it: of several starts at once one link succeeds. */
async function keepApiKey(dataDir: string, apiKey: string): Promise<boolean> {
  await makeDirectory(dataDir);
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

/**
 * Makes a directory (0700) and those above it. Node's own `recursive` never ends where a directory is there and yet
 * answers ENOENT to whatever is to be made in it, as /proc does: it makes the one above again and again.
 *
 * @see https://github.com/nodejs/node/blob/v20.19.0/src/node_file.cc MKDirpAsync
 */
async function makeDirectory(directory: string): Promise<void> {
  if ((await tryMakeDirectory(directory)) !== 'ENOENT') return;
  const above = path.dirname(directory);
  if (above !== directory) await makeDirectory(above);
  await mkdir(directory, { mode: 0o700 }).catch(ignoreExisting);
}

async function tryMakeDirectory(directory: string): Promise<'ENOENT' | undefined> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return 'ENOENT';
    ignoreExisting(error);
  }
  return undefined;
}

/** Another start may have made it; whether it is a directory shows when something is written into it. */
function ignoreExisting(error: unknown): void {
  if (systemCodeOf(error) !== 'EEXIST') throw error;
}

function reasonOf(error: unknown): string {
  return systemCodeOf(error) ?? String(error);
}
