// Which Python has a module.

import { spawnSync } from 'node:child_process';

/** A Python that has the module; Debian's comes first, because another one on the path sees none of its packages. */
export function findPython(module: string): string | undefined {
  return ['/usr/bin/python3', 'python3'].find(
    (python) => spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0,
  );
}
