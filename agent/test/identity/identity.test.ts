import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { csr } from '../../src/children/jobs/csr.ts';
import { type BoardFiles, readCpuSerial, readHardwareVersion } from '../../src/identity/board.ts';
import { checkCredentials } from '../../src/identity/check-credentials.ts';
import { devicePaths } from '../../src/identity/device-paths.ts';
import { openIdentity } from '../../src/identity/identity-store.ts';
import { createPrivateKeyPem } from '../../src/identity/keys.ts';
import { installTrust, loadTrust } from '../../src/identity/trust-store.ts';
import { createTestAuthority } from '../support/certificates.ts';
import { createFakeDeviceApi } from '../support/device-api.ts';

let folder: string;
let board: BoardFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ares-identity-'));
  mkdirSync(join(folder, 'base'));
  writeFileSync(join(folder, 'base/serial-number'), '10000000ABCDEF12\0');
  writeFileSync(join(folder, 'base/model'), 'Raspberry Pi 5 Model B Rev 1.0\0');
  board = { deviceTree: join(folder, 'base'), cpuInfo: join(folder, 'cpuinfo'), simulated: undefined };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const make = { hardwareVersion: 'pi-5', hardwareVariant: 'standard' };

describe('the board', () => {
  it('is read from the device tree, else from cpuinfo', () => {
    expect(readCpuSerial(board)).toBe('10000000abcdef12');
    rmSync(join(folder, 'base/serial-number'));
    writeFileSync(board.cpuInfo, 'Hardware\t: BCM2711\nSerial\t\t: 100000001234abcd\n');
    expect(readCpuSerial(board)).toBe('100000001234abcd');
    expect(readHardwareVersion(board)).toBe('pi-5');
  });

  it('says what to do when it has no serial number', () => {
    rmSync(join(folder, 'base/serial-number'));
    expect(() => readCpuSerial(board)).toThrow(/--simulate-board/);
  });
});

describe('the identity', () => {
  it('is made once, with files that only their owner may read', () => {
    const paths = devicePaths(join(folder, 'state'));
    const first = openIdentity(paths, board, make);
    expect(openIdentity(paths, board, { hardwareVersion: 'pi-4', hardwareVariant: 'other' })).toEqual(first);
    for (const path of [paths.identity, paths.identityKey, paths.setupCode]) {
      expect(statSync(path).mode & 0o777, path).toBe(0o600);
    }
  });

  it('CLN-01 a card in another board shows that board', () => {
    const paths = devicePaths(join(folder, 'state'));
    const { identity } = openIdentity(paths, board, make);
    writeFileSync(join(folder, 'base/serial-number'), '10000000ffffffff\0');
    const moved = openIdentity(paths, board, make).identity;
    expect(moved).toEqual({ ...identity, cpuSerial: '10000000ffffffff' });
  });

  it('FSP-04 is never replaced when it is damaged', () => {
    const paths = devicePaths(join(folder, 'state'));
    openIdentity(paths, board, make);
    for (const path of [paths.identity, paths.identityKey, paths.setupCode]) {
      const before = readFileSync(path, 'utf8');
      writeFileSync(path, 'x');
      expect(() => openIdentity(paths, board, make), path).toThrow(/Restore it from a backup/);
      expect(readFileSync(path, 'utf8')).toBe('x');
      writeFileSync(path, before);
    }
  });
});

describe('the trust file', () => {
  it('comes once; another one is refused', async () => {
    const [mine, other] = await Promise.all([1, 2].map(() => createFakeDeviceApi({ apiHost: 'c:1' })));
    const path = join(folder, 'trust.json');
    const given = join(folder, 'given.json');
    expect(() => loadTrust(path)).toThrow(/factory-init --trust FILE/);
    writeFileSync(given, JSON.stringify(mine!.trust));
    expect(installTrust(path, given)).toEqual(mine!.trust);
    expect(installTrust(path, given)).toEqual(mine!.trust);
    writeFileSync(given, JSON.stringify(other!.trust));
    expect(() => installTrust(path, given)).toThrow(/trusts another cloud already/);
    expect(loadTrust(path)).toEqual(mine!.trust);
    writeFileSync(given, '{"v":1}');
    expect(() => installTrust(join(folder, 'new.json'), given)).toThrow(/not valid: /);
  });
});

describe('refusing credentials', () => {
  const deviceUuid = '0f7a1f0e-9c1d-4b7e-8a55-1c2d3e4f5a6b';

  it('that do not fit key, device, authority or date', async () => {
    const api = await createFakeDeviceApi({ apiHost: 'c:1' });
    const privateKeyPem = createPrivateKeyPem();
    const { signal } = new AbortController();
    const request = Buffer.from((await csr({ privateKeyPem, deviceUuid }, signal)).csr, 'base64url');
    const certificateChain = (await api.authority.sign(request, deviceUuid)).pem;
    const stranger = await createTestAuthority();
    const foreign = (await stranger.sign(request, deviceUuid)).pem;
    const other = (await api.authority.sign(request, 'another-device')).pem;
    const context = { deviceUuid, trust: api.trust, now: Date.now() };
    const fault = (
      change: Partial<Parameters<typeof checkCredentials>[0]>,
      now: number | undefined = context.now,
    ) => checkCredentials({ certificateChain, privateKeyPem, ...change }, { ...context, now })?.fault;
    expect(fault({})).toBeUndefined();
    expect(fault({ privateKeyPem: createPrivateKeyPem() })).toBe('KEY_MISMATCH');
    expect(fault({ certificateChain: other })).toBe('WRONG_DEVICE');
    expect(fault({ certificateChain: foreign })).toBe('UNTRUSTED_CHAIN');
    expect(fault({ certificateChain: `${foreign}\n${stranger.certificatePem}` })).toBe('UNTRUSTED_CHAIN');
    expect(fault({ certificateChain: '' })).toBe('UNREADABLE');
    expect(fault({ privateKeyPem: 'x' })).toBe('UNREADABLE');
    expect(fault({}, Date.now() + 48 * 3_600_000)).toBe('EXPIRED');
    const unset = checkCredentials({ certificateChain, privateKeyPem }, { ...context, now: undefined });
    expect(unset).toBeUndefined();
  });
});
