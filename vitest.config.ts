import { availableParallelism } from 'node:os';

import { defineConfig } from 'vitest/config';

const TIMED = [
  'test/crawlee/client-pacing.test.ts',
  'test/crawlee/tunnel-spacing.test.ts',
  'test/gateway/delays.test.ts',
];

export default defineConfig({
  test: {
    // Vitest would take one on two processors; but the tests of the edge wait half of their time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: ['default', './test/support/count-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{sessions,protocol,stores}/**/*.test.ts', 'test/*.test.ts'],
        },
      },
      {
        test: {
          name: 'edge',
          include: [
            'test/{upstreams,gateway,client,crawlee,crawlee4,cli,examples,clients,conformance,e2e}/**/*.test.ts',
          ],
          exclude: TIMED,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // These hold times against a clock, so nothing else runs beside them.
        test: {
          name: 'timed',
          include: TIMED,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: {
      include: ['src/sessions/**', 'src/protocol/**', 'src/stores/**'],
      thresholds: { lines: 100 },
    },
  },
});
