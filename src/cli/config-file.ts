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
    return await parse(shown, await readFile(path.resolve(workingDirectory, shown), 'utf8'));
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT' && name === undefined) return undefined;
    const why = code === 'ENOENT' ? 'there is no such file' : code;
    throw new CliFailure(EXIT.badArguments, `The configuration file ${shown} could not be read: ${why}`, error);
  }
}

/** JSON is read as the YAML it is. The parser is loaded here: most starts have no file. */
async function parse(name: string, text: string): Promise<ConfigFile> {
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    // What the parser quotes of the file may be a key or password.
    const told = fault.message.replaceAll(/"(?:[^"\\]|\\.)*"/g, '"…"').replace(/(Unresolved tag): .*/s, '$1');
    throw new CliFailure(
      EXIT.badArguments,
      `The configuration file ${name} has a fault at line ${line}, column ${col}: ${told}`,
    );
  }
  try {
    // A file of comments alone holds nothing, which is as good as a map of nothing.
    return { name, content: document.toJS() ?? {} };
  } catch {
    // The error would quote what follows the asterisk.
    throw new CliFailure(
      EXIT.badArguments,
      `The configuration file ${name} has an alias (*name) of nothing; quote text that starts with *`,
    );
  }
}
