import { rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { doctor } from '../../src/cli/doctor.ts';
import { type AgentConfig, loadConfig } from '../../src/config.ts';
import { createDeviceWorld, type DeviceWorld } from '../support/device-world.ts';

let world: DeviceWorld;
let config: AgentConfig;

beforeEach(async () => {
  world = await createDeviceWorld();
  const flags = { stateDir: world.stateDir, simulateBoard: `${world.stateDir}/board` };
  config = loadConfig({ flags, env: {}, file: undefined });
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  world.remove();
});

it('writes the bundle into the present folder', async () => {
  expect(dirname(await doctor(config, {}, world.stateDir))).toBe(world.stateDir);
});

it('writes it where it can when the present folder is somebody else’s, as with sudo', async () => {
  const file = await doctor(config, {}, join(world.stateDir, 'not-there'));
  try {
    expect(statSync(file).mode & 0o777).toBe(0o600);
  } finally {
    rmSync(dirname(file), { recursive: true });
  }
});

it('says that a file cannot be written when it was asked for that one', async () => {
  await expect(doctor(config, { output: join(world.stateDir, 'not-there/bundle.tar.gz') })).rejects.toThrow(
    /cannot be written/,
  );
});
