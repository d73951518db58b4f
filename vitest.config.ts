import { defineConfig } from 'vitest/config';

const sources = { conditions: ['@ares/source'] };

/** Tests that start brokers, databases and devices of their own. */
const processes = { testTimeout: 120_000, hookTimeout: 120_000 };

/** Virtual machines, two at a time: `npm run lab`. */
const lab =
  process.env['ARES_LAB'] === undefined
    ? []
    : [
        {
          extends: true as const,
          test: {
            name: 'lab',
            include: ['test/lab/cases/**/*.test.ts'],
            globalSetup: ['test/lab/global-setup.ts'],
            maxWorkers: 2,
            testTimeout: 600_000,
            hookTimeout: 600_000,
          },
        },
      ];

export default defineConfig({
  resolve: sources,
  ssr: { resolve: sources },
  test: {
    // Most of the time goes by in waiting for processes, so two files at once also suit two cores.
    maxWorkers: 2,
    globalSetup: ['test/support/postgres-server.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{protocol,hardware-drivers,agent,cloud}/test/**/*.test.ts',
            'hardware-drivers/examples/**/*.test.ts',
            'test/architecture/**/*.test.ts',
            'test/deploy/**/*.test.ts',
          ],
          testTimeout: 20_000,
          // The first test that needs a database waits until it is made.
          hookTimeout: 60_000,
        },
      },
      { extends: true, test: { name: 'contract', include: ['test/contract/**/*.test.ts'], ...processes } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...processes } },
      { extends: true, test: { name: 'attacks', include: ['test/attacks/**/*.test.ts'], ...processes } },
      {
        extends: true,
        test: { name: 'package', include: ['test/package/**/*.test.ts'], ...processes, testTimeout: 600_000 },
      },
      {
        extends: true,
        test: { name: 'faults', include: ['test/faults/**/*.test.ts'], ...processes, testTimeout: 1_200_000 },
      },
      ...lab,
    ],
  },
});
