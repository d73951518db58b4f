/**
 * The contract suite of GPIO adapters on the kernel's simulated chip, as a program of the guest:
 *   gpio-contract.mjs chardev|sysfs SIM_FOLDER [TESTS]
 * SIM_FOLDER is the chip's folder below /sys/devices/platform; TESTS, what is in the names of the tests to run. Prints
 * what failed; ends with 1 then.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type GpioChip, type LineLevel, openBoardGpio } from '@ares/hardware-drivers';
import { describeGpioChip, type TestApi } from '@ares/hardware-drivers/testing';

const [choice = '', sim = '', wanted = ''] = process.argv.slice(2);
const lines = [5, 17, 22, 27];
const level = (bcm: number) => readFileSync(join(sim, `sim_gpio${bcm}/value`), 'latin1').trim() as LineLevel;
const setPull = (bcm: number, to: LineLevel) =>
  writeFileSync(join(sim, `sim_gpio${bcm}/pull`), to === '1' ? 'pull-up' : 'pull-down');
const becomes = async (bcm: number, wanted: LineLevel) => {
  for (let tries = 0; level(bcm) !== wanted && tries < 500; tries += 1) await wait(20);
  assert.equal(level(bcm), wanted);
};

/** Whether an adapter drives the line: its surroundings then have no say. */
function isDriven(path: string): boolean {
  const folder = dirname(path);
  if (existsSync(join(folder, 'direction')))
    return readFileSync(join(folder, 'direction'), 'latin1').trim() === 'out';
  return existsSync(join(folder, 'state'));
}

function letGo(chip: GpioChip, runtimeDir: string): void {
  for (const bcm of lines) {
    const { path } = chip.safeOutput(bcm);
    if (choice === 'chardev')
      spawnSync('/bin/sh', [join(runtimeDir, 'line-holder.sh'), dirname(path), 'release']);
    else if (existsSync(path))
      writeFileSync('/sys/class/gpio/unexport', /gpio(\d+)$/.exec(dirname(path))?.[1] ?? '');
    setPull(bcm, '0');
  }
}

const tests: { name: string; body: () => Promise<void> }[] = [];
const api: TestApi = {
  describe: (_, body) => body(),
  it: (name, body) => {
    if (name.includes(wanted)) tests.push({ name, body });
  },
  expect: (value, message) => ({
    toBe: (expected) => assert.equal(value, expected, message),
    toEqual: (expected) => assert.deepEqual(value, expected, message),
    toMatchObject: (expected) => {
      for (const [key, wanted] of Object.entries(expected))
        assert.deepEqual((value as Record<string, unknown>)[key], wanted, String(value));
    },
    toBeGreaterThanOrEqual: (expected) => assert.ok((value as number) >= expected, message),
    toBeLessThanOrEqual: (expected) => assert.ok((value as number) <= expected, message),
  }),
};

describeGpioChip(api, choice, async () => {
  const runtimeDir = mkdtempSync(join(tmpdir(), 'lines-'));
  const chip = await openBoardGpio({ choice: choice as 'chardev' | 'sysfs', runtimeDir });
  letGo(chip, runtimeDir);
  return {
    chip,
    level: async (bcm) => level(bcm),
    drive: async (bcm, to) => {
      setPull(bcm, to);
      const { path } = chip.safeOutput(bcm);
      if (!isDriven(path)) return;
      writeFileSync(path, `${to}\n`);
      await becomes(bcm, to);
    },
    writeGuard: async (path, text) => {
      writeFileSync(path, text);
      const bcm = lines.find((candidate) => chip.safeOutput(candidate).path === path)!;
      await becomes(bcm, text.trim() as LineLevel);
    },
    [Symbol.asyncDispose]: async () => {
      letGo(chip, runtimeDir);
      rmSync(runtimeDir, { recursive: true });
    },
  };
});

let failed = 0;
for (const { name, body } of tests)
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error instanceof Error ? error.stack : String(error)}`);
  }
console.log(`${tests.length - failed} of ${tests.length} passed`);
process.exit(failed === 0 && tests.length > 0 ? 0 : 1);
