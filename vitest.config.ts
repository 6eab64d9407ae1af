import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['functions/**/*.spec.ts', 'consumer/**/*.spec.ts', 'infra/**/*.spec.ts'],
    exclude: ['**/dist/**', '**/node_modules/**'],
    // Real stores and real processes share the machine with the tests.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
