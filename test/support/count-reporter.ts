// Ends a test run with one plain line that scripts can read: how many tests passed, failed and were skipped.

import type { Reporter, TestModule } from 'vitest/node';

/** Counts the tests of all projects. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const count = (state: string): number => states.filter((other) => other === state).length;
    const skipped = count('skipped');
    const tail = skipped === 0 ? '' : `, ${skipped} skipped`;
    console.log(`${count('passed')} passed, ${count('failed') + broken} failed${tail}`);
  }
}

// oxlint-disable-next-line import/no-default-export -- vitest takes a reporter file's default export
export default CountReporter;
