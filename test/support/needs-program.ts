// Tests that need a program beside Node: where it is missing they are not run, and say so; in CI they fail.

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

/** Runs tests that need a program, or tells which Debian package would bring it. */
export function needsProgram(program: string, debianPackage: string, tests: () => void): void {
  const isThere = spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
  const reason = `needs ${program}, which is not here: apt-get install ${debianPackage}`;
  if (isThere)
    describe(`with ${program}`, () => {
      tests();
    });
  else if (process.env['CI'] === 'true') test(reason, () => expect.unreachable(reason));
  // oxlint-disable-next-line vitest/no-disabled-tests -- it says by name what is missing, and fails in CI
  else test.skip(`NOT RUN: ${reason}`, () => undefined);
}
