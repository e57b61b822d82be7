// Reads the text of a configuration file as YAML, and tells a fault of its syntax without what the file holds. Away from
// `config-file.ts`, so that a start without a file does not load the parser.

import { LineCounter, parseDocument } from 'yaml';

import { CliFailure, EXIT } from './failure.js';

/**
 * Parses the text of a configuration file; JSON is read as the YAML it is.
 *
 * @param name as the user gave it, for the messages
 * @returns what the file holds, of any shape; a map of nothing where it holds nothing
 * @throws CliFailure with the place of the first fault
 */
export function parseConfig(name: string, text: string): unknown {
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
    return document.toJS() ?? {};
  } catch {
    // The error would quote what follows the asterisk.
    throw new CliFailure(
      EXIT.badArguments,
      `The configuration file ${name} has an alias (*name) of nothing; quote text that starts with *`,
    );
  }
}
