// Tests that need what a machine may lack, such as a program: where it is missing they are not run, and say so; in CI
// they fail.

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

/** What tests need, and how to get it. */
interface Need {
  readonly what: string;
  readonly isThere: boolean;
  /** The command that brings it. */
  readonly command: string;
}

/** Runs tests that need something. */
export function needs({ what, isThere, command }: Need, tests: () => void): void {
  const reason = `needs ${what}, which is not here: ${command}`;
  if (isThere)
    describe(`with ${what}`, () => {
      tests();
    });
  else if (process.env['CI'] === 'true') test(reason, () => expect.unreachable(reason));
  // oxlint-disable-next-line vitest/no-disabled-tests -- it says by name what is missing, and fails in CI
  else test.skip(`NOT RUN: ${reason}`, () => undefined);
}

/** Runs tests that need a program, or tells which Debian package would bring it. */
export function needsProgram(program: string, debianPackage: string, tests: () => void): void {
  const isThere = spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
  needs({ what: program, isThere, command: `apt-get install ${debianPackage}` }, tests);
}
