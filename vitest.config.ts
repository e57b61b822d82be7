import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
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
          include: ['test/{upstreams,gateway,client,crawlee,cli,examples,clients,conformance,e2e}/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
    coverage: {
      include: ['src/sessions/**', 'src/protocol/**', 'src/stores/**'],
      thresholds: { lines: 100 },
    },
  },
});
