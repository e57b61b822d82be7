// Collects the licences of the packages that a bundle holds: each of theirs asks that its text goes along. Fails the
// build over a package whose licence asks for more, or is not there.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Licences that are met by their own text beside the code. */
const MET_BY_TEXT = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']);

const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

/**
 * Writes what goes beside a bundle: name, version and licence of each package in it.
 *
 * @param {import('esbuild').Metafile} metafile what the bundler tells of its output
 * @param {string} root the directory that its paths start from
 * @throws where a package has a licence that this does not meet, or no text of it
 */
export function licencesOf({ outputs }, root) {
  const files = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const directories = new Set(files.flatMap((file) => PACKAGE.exec(file)?.[0] ?? []));
  const licences = [...directories].map((directory) => licenceOf(path.resolve(root, directory)));
  return ['The command carries these packages.\n', ...licences.sort()].join(`\n${'-'.repeat(80)}\n\n`);
}

function licenceOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8'));
  if (!MET_BY_TEXT.has(license)) throw new Error(`${name} ${version} has the licence ${license}: leave it outside`);
  const texts = readdirSync(directory).filter((file) => /^(?:licen[cs]e|notice|copying)\b/i.test(file));
  if (texts.length === 0) throw new Error(`${name} ${version} comes without the text of its licence: leave it outside`);
  const text = texts.map((file) => readFileSync(path.join(directory, file), 'utf8').trim()).join('\n\n');
  return `${name} ${version} (${license})\n\n${text}\n`;
}
