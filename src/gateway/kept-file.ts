// Files that are made once and then stay: written whole under another name and linked, so that nobody reads half of
// one, and of several processes that make it at once one wins.

import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Reads a file; undefined where there is none. @throws the error of the system for all else */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes a file, and its directory (0700), unless it is there.
 *
 * @returns what the file holds, whoever made it
 * @throws the error of the system
 */
export async function makeOnce(file: string, { text, mode }: { text: string; mode: number }): Promise<string> {
  const directory = path.dirname(file);
  await makeDirectory(directory);
  const draft = path.join(directory, `.${path.basename(file)}-${randomUUID()}`);
  try {
    await writeFile(draft, text, { flag: 'wx', mode: 0o600, flush: true });
    // The mode of a new file is cut by the umask, this one is not.
    await chmod(draft, mode);
    await link(draft, file);
    return text;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return await readFile(file, 'utf8');
  } finally {
    await rm(draft, { force: true });
  }
}

/** Tells the code of an error of the system. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Makes a directory and those above it. Node's own `recursive` never ends where a directory is there and yet answers
 * ENOENT to whatever is to be made in it, as /proc does.
 *
 * @see https://github.com/nodejs/node/blob/v20.19.0/src/node_file.cc MKDirpAsync
 */
async function makeDirectory(directory: string): Promise<void> {
  if ((await tryMakeDirectory(directory)) !== 'ENOENT') return;
  const above = path.dirname(directory);
  if (above !== directory) await makeDirectory(above);
  if ((await tryMakeDirectory(directory)) === 'ENOENT') {
    throw Object.assign(new Error(`No directory can be made at ${directory}`), { code: 'ENOENT' });
  }
}

/** Another process may have made it; whether it is a directory shows when something is written into it. */
async function tryMakeDirectory(directory: string): Promise<'ENOENT' | undefined> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'ENOENT';
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return undefined;
}
