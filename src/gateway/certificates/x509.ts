// Loads the X.509 packages, on first use: they take a third of a second, which a gateway that never intercepts saves.

import type * as Exports from '@peculiar/x509';

/** What `@peculiar/x509` exports. */
export type X509 = typeof Exports;

/** Loads it; the second call finds it loaded. */
export async function loadX509(): Promise<X509> {
  // The decorators of the other package need this one before they are read.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}
