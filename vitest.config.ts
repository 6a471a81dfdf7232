import { defineConfig } from 'vitest/config';
import { SecondTry } from './test/second-try.ts';

/** Suites that need more than npm live in their own folders and have their own scripts. */
const needMore = [
  'test/interop/**',
  'test/chaos/**',
  'test/wan/**',
  'test/ui/**',
  'test/libvirt/**',
  'test/stretch/**',
  'test/tenants/**',
];

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'sims/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: process.env.CLOUDSPAN_SUITE ? ['node_modules/**'] : ['node_modules/**', ...needMore],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: false,
    reporters: ['default', new SecondTry()],
  },
});
