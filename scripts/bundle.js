// Bundles the command: opening hundreds of small files takes longer than what is in them. What a command loads when it
// needs it stays a file of its own. The library's entries stay as the compiler writes them.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { licencesOf } from './licences.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const { dependencies, peerDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

// Packages that the command carries, with what they depend on: they read its arguments and configuration and write its
// log, and without them it starts in three quarters of the time. Ours: what meets the network stays outside, so that a
// mend of it reaches those who update it, and `npm audit` tells the truth about it.
const CARRIED = new Set(['commander', 'fastest-levenshtein', 'pino', 'yaml', 'zod']);

const { metafile } = await build({
  entryPoints: [`${dist}/cli/main.js`],
  absWorkingDir: root,
  bundle: true,
  external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !CARRIED.has(name)),
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  outbase: dist,
  outdir: dist,
  chunkNames: 'cli/chunks/[name]-[hash]',
  // Carried CommonJS requires Node's modules, and a file of ESM has no `require` of its own.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';const require = requireFrom(import.meta.url);",
  },
  allowOverwrite: true,
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
});

writeFileSync(`${dist}/cli/THIRD-PARTY-LICENSES.txt`, licencesOf(metafile, root));
