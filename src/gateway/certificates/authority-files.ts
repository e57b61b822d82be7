// Where the CA of a gateway lies: in files of the user's, or in the data directory, where key and certificate are made
// at first need. How their faults are told, too; what makes them good is settled in `authority-check.ts`.

import path from 'node:path';

import { ConfigurationError } from '../option-faults.js';
import { codeOf, makeOnce, readIfThere } from '../kept-file.js';

/** Where a CA is looked for. */
export interface AuthorityPlace {
  readonly dataDir: string | undefined;
  /** Files of the user's, PEM; both or none. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** The two files of a CA: given by the user, or kept in the data directory. */
export interface AuthorityFiles {
  readonly kind: 'given' | 'kept';
  readonly certFile: string;
  readonly keyFile: string;
}

/** What is wrong with one of the files, in words that follow its name, and what to do where the user gave it. */
export interface AuthorityFault {
  readonly part: 'cert' | 'key';
  readonly wrong: string;
  readonly cure?: string | undefined;
}

/**
 * Names the files of a CA.
 *
 * @throws ConfigurationError if only one is given, or none and there is no data directory
 */
export function locateAuthority({ dataDir, cert, key }: AuthorityPlace): AuthorityFiles {
  if (cert !== undefined && key !== undefined) return { kind: 'given', certFile: cert, keyFile: key };
  if (cert !== undefined) throw oneFault('ca.key', 'the key of ca.cert is missing: give both, or neither');
  if (key !== undefined) throw oneFault('ca.cert', 'the certificate of ca.key is missing: give both, or neither');
  if (dataDir !== undefined) {
    return { kind: 'kept', certFile: path.join(dataDir, 'ca.crt'), keyFile: path.join(dataDir, 'ca.key') };
  }
  throw oneFault(
    'dataDir',
    'the home directory of this user is not known, so there is no place for a CA: give a directory, or ca.cert and ca.key',
  );
}

/** Reads a file that the user gave. @throws ConfigurationError if it can't be read */
export async function readGiven(files: AuthorityFiles, part: 'cert' | 'key'): Promise<string> {
  const text = await toldAsFault(files, part, readIfThere(fileOf(files, part)));
  if (text !== undefined) return text;
  throw authorityError(files, { part, wrong: 'is not there' });
}

/**
 * Reads the key of the data directory; makes it where there is neither key nor certificate.
 *
 * @throws ConfigurationError if it can't be read or made, or there is a certificate whose key is gone
 */
export async function openKeptKey(files: AuthorityFiles, makePem: () => string): Promise<string> {
  const { certFile, keyFile } = files;
  const reading = async (): Promise<string | undefined> => {
    const kept = await readIfThere(keyFile);
    if (kept !== undefined || (await readIfThere(certFile)) === undefined) return kept;
    // Another process may have made both since; the key comes first.
    const late = await readIfThere(keyFile);
    if (late !== undefined) return late;
    throw authorityError(files, { part: 'key', wrong: `is not there, but its certificate ${certFile} is` });
  };
  const kept = await toldAsFault(files, 'key', reading());
  return kept ?? toldAsFault(files, 'key', makeOnce(keyFile, { text: makePem(), mode: 0o600 }));
}

/** Reads the certificate of the data directory, and makes it first where there is none. @throws ConfigurationError */
export async function openKeptCertificate(files: AuthorityFiles, makePem: () => Promise<string>): Promise<string> {
  const kept = await toldAsFault(files, 'cert', readIfThere(files.certFile));
  if (kept !== undefined) return kept;
  const text = await makePem();
  return toldAsFault(files, 'cert', makeOnce(files.certFile, { text, mode: 0o644 }));
}

/** The error for a CA that can't be used. It names the file and what to do, and holds nothing of its content. */
export function authorityError(files: AuthorityFiles, { part, wrong, cure }: AuthorityFault): ConfigurationError {
  const told = `${fileOf(files, part)} ${wrong}`;
  if (files.kind === 'given') return oneFault(`ca.${part}`, cure === undefined ? told : `${told}; ${cure}`);
  const { keyFile, certFile } = files;
  return oneFault(
    'dataDir',
    `${told}; put back the files that were there, or delete ${keyFile} and ${certFile}: a new CA is made then, which clients have to be given`,
  );
}

async function toldAsFault<T>(files: AuthorityFiles, part: 'cert' | 'key', work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const file = fileOf(files, part);
    if (files.kind === 'given') throw oneFault(`ca.${part}`, `${file} could not be read: ${code}`);
    const told = `the CA in ${path.dirname(file)} could not be read or made: ${code} on ${path.basename(file)}`;
    throw oneFault('dataDir', `${told}; give a directory that can be written to`);
  }
}

function fileOf({ certFile, keyFile }: AuthorityFiles, part: 'cert' | 'key'): string {
  return part === 'cert' ? certFile : keyFile;
}

function oneFault(at: string, message: string): ConfigurationError {
  return new ConfigurationError([{ path: at, message, origin: undefined }]);
}
