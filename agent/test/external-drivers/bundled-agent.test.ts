import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { locateExternalDriver } from '@ares/hardware-drivers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/adapters/system-clock.ts';
import { openDrivers } from '../../src/compose-drivers.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { attached, startDriversBench } from '../support/drivers-bench.ts';
import { until } from '../support/fake-clock.ts';

const run = promisify(execFile);
/** Not the settings of the npm that runs these tests: they are of this repository. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const example = path('../../../hardware-drivers/examples/motion');
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ares-bundle-'));
  const build = ['--conditions=@ares/source', path('../../build.ts'), '--outdir', join(dir, 'app')];
  await run(process.execPath, build);
  cpSync(example, join(dir, 'motion'), { recursive: true });
  // As published: what `npm pack` makes, installed where the settings look for packages.
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: example, env });
  const quiet = ['--silent', '--offline', '--no-audit', '--no-fund', '--prefix', join(dir, 'device')];
  await run('npm', ['install', ...quiet, join(dir, stdout.trim())], { env });
}, 60_000);
/** Drivers as the agent composes them from these settings. */
const composed = (drivers: Record<string, string>) =>
  openDrivers({
    config: { drivers, stateDir: join(dir, 'device') },
    mainFile: join(dir, 'app', 'ares-agent.mjs'),
    programFolder: join(dir, 'app'),
    clock: createSystemClock(),
    logger: silentLogger,
  });

afterAll(() => rmSync(dir, { recursive: true }));

describe('the example package with the bundled agent', () => {
  it.each([
    ['a folder', () => locateExternalDriver(join(dir, 'motion'))],
    ['npm', () => locateExternalDriver('ares-driver-motion', { from: join(dir, 'device') })],
  ])('is loaded from %s and sees what moves on its line', async (_, locate) => {
    const program = {
      mainFile: join(dir, 'app', 'ares-agent.mjs'),
      programFolder: join(dir, 'app'),
      flags: [],
    };
    const bench = await startDriversBench({}, {}, { program, installed: { motion: locate() } });
    await bench.attach([attached(4, 'motion', { line: 5 })]);
    await until('it measures', () => bench.count(4) > 0, 15_000);
    expect(bench.values(4)).not.toContain(1);
    bench.hardware.gpio.drive(5, '1');
    bench.hardware.gpio.drive(5, '0');
    await until('it has seen the movement', () => bench.values(4).includes(1));
    await until('and that it is over', () => bench.values(4).at(-1) === 0);
    expect(bench.reasons(4)).toEqual(['OK']);
  });
});

describe('the drivers of the settings', () => {
  const motion = attached(4, 'motion', { line: 5 });

  it('are found by package name, beside the built-in ones', async () => {
    const drivers = await composed({ motion: 'ares-driver-motion' });
    expect(await drivers.load('motion', motion)).toMatchObject({ type: 'motion', sampleIntervalMs: 1_000 });
    expect(await drivers.load('pump', attached(5, 'pump', { line: 17 }))).toMatchObject({ type: 'pump' });
    await drivers.close();
    await expect(drivers.load('motion', motion)).rejects.toMatchObject({ code: 'DRIVER_ENDED' });
  });

  it('are refused with the reason when they are not there, are of another type, or fit no wiring', async () => {
    const drivers = await composed({
      nowhere: './nowhere',
      radar: 'ares-driver-motion',
      motion: join(dir, 'motion'),
    });
    await expect(drivers.load('nowhere', motion)).rejects.toMatchObject({ code: 'DRIVER_NOT_FOUND' });
    await expect(drivers.load('toaster', motion)).rejects.toMatchObject({ code: 'DRIVER_UNKNOWN' });
    await expect(drivers.load('radar', { ...motion, componentType: 'radar' })).rejects.toThrow(
      /is a driver for "motion", not for "radar"/,
    );
    await expect(drivers.load('motion', { ...motion, config: { colour: 'red' } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('motion: config'),
    });
    await drivers.close();
  });

  it.each(['./loose.js', '..', './node_modules/../'])(
    'SEC-02 are refused at %s, from where their process could read the keys of the device',
    async (place) => {
      cpSync(join(example, 'index.js'), join(dir, 'device', 'loose.js'));
      const drivers = await composed({ motion: place });
      await expect(drivers.load('motion', motion)).rejects.toMatchObject({
        code: 'DRIVER_INVALID',
        message: expect.stringContaining('could read the keys of this device'),
      });
      await drivers.close();
    },
  );

  it('never take the place of a built-in one', async () => {
    await expect(composed({ pump: 'ares-driver-motion' })).rejects.toThrow(/built-in driver/);
  });
});
