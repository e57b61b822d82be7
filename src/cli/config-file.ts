// Reads the configuration file. What its options may hold is the schema's to say; here only its syntax counts.

import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { CliFailure, EXIT, systemCodeOf } from './failure.js';

/** A configuration file that was read. */
export interface ConfigFile {
  /** As the user gave it. */
  readonly name: string;
  /** Of any shape. */
  readonly content: unknown;
}

const DEFAULT_NAME = 'session-proxy.yaml';

/**
 * Reads the file of that name, or without a name `session-proxy.yaml` in the working directory, if it is there.
 *
 * @throws CliFailure if a named file is missing, or a file can't be read or parsed
 */
export async function readConfigFile(
  name: string | undefined,
  workingDirectory: string,
): Promise<ConfigFile | undefined> {
  const shown = name ?? DEFAULT_NAME;
  try {
    const text = await readFile(path.resolve(workingDirectory, shown), 'utf8');
    // Loaded here: most starts have no file.
    const { parseConfig } = await import('./config-syntax.js');
    return { name: shown, content: parseConfig(shown, text) };
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT' && name === undefined) return undefined;
    const why = code === 'ENOENT' ? 'there is no such file' : code;
    throw new CliFailure(EXIT.badArguments, `The configuration file ${shown} could not be read: ${why}`, error);
  }
}
