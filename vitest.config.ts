import { defineConfig } from 'vitest/config';

const sources = { conditions: ['@ares/source'] };

/** Long runs are one file after another: they start brokers and databases on two cores. */
const serial = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  resolve: sources,
  ssr: { resolve: sources },
  test: {
    globalSetup: ['test/support/postgres-server.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{protocol,hardware-drivers,agent,cloud}/test/**/*.test.ts',
            'test/architecture/**/*.test.ts',
          ],
          testTimeout: 20_000,
        },
      },
      { extends: true, test: { name: 'contract', include: ['test/contract/**/*.test.ts'], ...serial } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...serial } },
      { extends: true, test: { name: 'attacks', include: ['test/attacks/**/*.test.ts'], ...serial } },
      {
        extends: true,
        test: { name: 'faults', include: ['test/faults/**/*.test.ts'], ...serial, testTimeout: 1_200_000 },
      },
    ],
  },
});
