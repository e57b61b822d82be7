// The version every answer carries. Clients of the protocol do nothing with an answer that has none.

import { createRequire } from 'node:module';

// By name: from where this stands to the file is another way once it is bundled.
const packageJson: unknown = createRequire(import.meta.url)('crawlee-session-proxy/package.json');

/** The version of this package. */
export const VERSION = (packageJson as { readonly version: string }).version;
