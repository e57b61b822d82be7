// The version every answer carries. Clients of the protocol do nothing with an answer that has none.

import { readFileSync } from 'node:fs';

const packageJson: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** The version of this package. */
export const VERSION = (packageJson as { readonly version: string }).version;
