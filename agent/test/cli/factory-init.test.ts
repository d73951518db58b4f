import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openControlSocket } from '../../src/adapters/control-socket.ts';
import { factoryInit } from '../../src/cli/factory-init.ts';
import { loadConfig } from '../../src/config.ts';
import { devicePaths } from '../../src/identity/device-paths.ts';
import { createFakeDeviceApi } from '../support/device-api.ts';

let folder: string;
let trust: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ares-factory-'));
  trust = join(folder, 'trust.json');
  writeFileSync(trust, JSON.stringify((await createFakeDeviceApi({ apiHost: 'c:1' })).trust));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const config = () =>
  loadConfig({
    flags: { stateDir: join(folder, 'state'), simulateBoard: join(folder, 'board') },
    env: {},
    file: undefined,
  });

async function init(flags: object = {}) {
  const written: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  await factoryInit(config(), { trust, json: true, ...flags });
  vi.restoreAllMocks();
  return JSON.parse(written.join('')) as {
    deviceUuid: string;
    cpuSerial: string;
    identityKeyHash: string;
    setupCode: string;
  };
}

describe('a device whose UUID the cloud knows of another', () => {
  it('CLN-01 draws UUID, key and setup code anew, on the same board', async () => {
    const first = await init();
    expect(await init()).toEqual(first);
    const second = await init({ newIdentity: true });
    expect(second.cpuSerial).toBe(first.cpuSerial);
    for (const name of ['deviceUuid', 'identityKeyHash', 'setupCode'] as const) {
      expect(second[name], name).not.toBe(first[name]);
    }
    expect(await init()).toEqual(second);
  });

  it('keeps what it is while it is in use, or an agent runs', async () => {
    const first = await init();
    const paths = devicePaths(join(folder, 'state'));
    writeFileSync(paths.credentials, '{}');
    await expect(init({ newIdentity: true })).rejects.toThrow(/reset/);
    rmSync(paths.credentials);
    const control = await openControlSocket({ path: paths.controlSocket, handle: async () => undefined });
    await expect(init({ newIdentity: true })).rejects.toThrow(/runs on this state directory/);
    await control.close();
    expect(await init()).toEqual(first);
  });
});
