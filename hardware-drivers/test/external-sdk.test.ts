import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
let dir: string;

/** A program that is one bundled file, as the agent is on a device, beside a driver folder; no node_modules. */
async function bundle(name: string, supply: string): Promise<string> {
  const outfile = join(dir, name);
  await build({
    stdin: {
      contents: `
        import * as sdk from '@ares/hardware-drivers';
        import { createMockHardware, createTestClock, silentLogger } from '@ares/hardware-drivers/testing';
        ${supply}
        const driver = await sdk.loadExternalDriver('./driver', { from: import.meta.dirname });
        const hardware = createMockHardware();
        hardware.gpio.drive(5, '1');
        const wiring = driver.parseWiring({ pins: { line: 5 }, config: {} });
        const sensor = driver.create({ ...wiring, hardware, clock: createTestClock(), logger: silentLogger });
        await sensor.start();
        console.log(JSON.stringify(await sensor.read()));`,
      resolveDir: packageFolder,
    },
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@ares/source'],
    external: ['onoff', 'node-dht-sensor'],
    outfile,
  });
  return outfile;
}

const run = promisify(execFile);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ares-bundle-'));
  await cp(new URL('../examples/motion', import.meta.url), join(dir, 'driver'), { recursive: true });
});
afterAll(() => rm(dir, { recursive: true }));

describe('a driver folder beside a bundled agent', () => {
  it('gets the SDK of the agent itself', async () => {
    const program = await bundle('with.mjs', 'sdk.supplySdk(sdk);');
    const { stdout } = await run(process.execPath, [program]);
    expect(JSON.parse(stdout)).toEqual([{ metric: 'motion', value: 1, quality: 'good' }]);
  });

  it('could not be loaded otherwise', async () => {
    const program = await bundle('without.mjs', '');
    await expect(run(process.execPath, [program])).rejects.toThrow(/@ares\/hardware-drivers/);
  });
});
