// Lets the built command be run: the compiler writes plain files, and npm sets the bit only when it links a package.
import { chmodSync } from 'node:fs';

chmodSync(new URL('../dist/cli/main.js', import.meta.url), 0o755);
