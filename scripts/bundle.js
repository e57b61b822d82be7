// Bundles the command: opening two hundred small files takes longer than what is in them. Packages stay outside, and what
// a command loads when it needs it stays a file of its own. The library's entries stay as the compiler writes them.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

await build({
  entryPoints: [`${dist}/cli/main.js`],
  bundle: true,
  packages: 'external',
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  outbase: dist,
  outdir: dist,
  chunkNames: 'cli/chunks/[name]-[hash]',
  allowOverwrite: true,
  sourcemap: true,
  logLevel: 'warning',
});
