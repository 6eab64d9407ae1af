import { defineConfig } from 'vitest/config';

const CASES = 'consumer/conformance/cases/**/*.spec.ts';
const FAULTS = 'consumer/conformance/faults/**/*.spec.ts';
const ACROSS = 'consumer/conformance/across/**/*.spec.ts';

/**
 * CONSUMER names the language whose consumer the conformance cases and the faults start. With `all` only the file runs that
 * starts several languages at once.
 */
const { CONSUMER } = process.env;
const EVERYTHING = [
  'functions/**/*.spec.ts',
  'consumer/**/*.spec.ts',
  'infra/**/*.spec.ts',
  'services/**/*.spec.ts',
  'testing/**/*.spec.ts',
  'bench/**/*.spec.ts',
  'postman/**/*.spec.ts',
];

export default defineConfig({
  test: {
    include: CONSUMER === undefined ? EVERYTHING : CONSUMER === 'all' ? [ACROSS] : [CASES, FAULTS],
    exclude: ['**/dist/**', '**/node_modules/**', ...(CONSUMER === undefined ? [ACROSS] : [])],
    // Real stores and real processes share the machine with the tests.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
