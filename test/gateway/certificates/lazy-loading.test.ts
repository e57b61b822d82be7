// Starting a gateway must not load what only interception needs.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import { expect, test } from 'vitest';

import { createDirectory, run } from './tls-peers.js';

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const AUTHORITY = new URL('../../../src/gateway/certificates/certificate-authority.ts', import.meta.url).href;
const ROUTE = new URL('../../../src/gateway/routes/certificate.ts', import.meta.url).href;

test('the X.509 packages are loaded by the first CA that is opened, not before', async () => {
  const dataDir = await createDirectory();
  const program = `
    import { createRequire } from 'node:module';
    const { cache } = createRequire(${JSON.stringify(import.meta.url)});
    const isLoaded = () => Object.keys(cache).some((file) => file.includes('@peculiar'));
    const { openCertificateAuthority } = await import(${JSON.stringify(AUTHORITY)});
    await import(${JSON.stringify(ROUTE)});
    const before = isLoaded();
    await openCertificateAuthority({ dataDir: ${JSON.stringify(dataDir)} });
    console.log(before, isLoaded());`;
  const { stdout } = await run(process.execPath, ['--import', TSX, '--input-type=module', '--eval', program]);
  expect(stdout).toBe('false true\n');
});
