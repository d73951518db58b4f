import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDriverRegistry, loadExternalDriver, locateExternalDriver } from '../src/index.ts';

const example = fileURLToPath(new URL('../examples/motion', import.meta.url));
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ares-driver-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** A driver folder with these files. */
async function folder(files: Record<string, string>): Promise<string> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return dir;
}

describe('the registry', () => {
  it('loads a driver by others from a folder under its type', async () => {
    const registry = createDriverRegistry({ external: { motion: example } });
    expect(registry.types).toContain('motion');
    expect(await registry.load('motion')).toMatchObject({
      type: 'motion',
      kind: 'sensor',
      pinRoles: ['line'],
    });
  });

  it('loads it as a package installed at or above a folder, too', async () => {
    await mkdir(join(dir, 'node_modules'));
    await mkdir(join(dir, 'below'));
    await symlink(example, join(dir, 'node_modules', 'ares-driver-motion'));
    const driver = await loadExternalDriver('ares-driver-motion', { from: join(dir, 'below') });
    expect(driver.type).toBe('motion');
  });

  it.each([
    ['its name', () => 'ares-driver-motion'],
    ['its path', () => join(dir, 'node_modules', 'ares-driver-motion')],
  ])('says of a package by %s that it is read with what was installed beside it', async (_, specifier) => {
    await mkdir(join(dir, 'node_modules'));
    await symlink(example, join(dir, 'node_modules', 'ares-driver-motion'));
    const { folders } = locateExternalDriver(specifier(), { from: dir });
    expect(folders).toEqual([join(dir, 'node_modules'), await realpath(example)]);
  });

  it('says of a folder that only itself is read', async () => {
    await mkdir(join(dir, 'motion'));
    const { folders } = locateExternalDriver(join(dir, 'motion'));
    expect(folders).toEqual([await realpath(join(dir, 'motion'))]);
  });

  it('knows no driver for an unknown type, not even for one of Object.prototype', async () => {
    const registry = createDriverRegistry();
    await expect(registry.load('toaster')).rejects.toMatchObject({ code: 'DRIVER_UNKNOWN' });
    await expect(registry.load('constructor')).rejects.toMatchObject({ code: 'DRIVER_UNKNOWN' });
  });

  it('lets nobody take the place of a built-in driver', () => {
    expect(() => createDriverRegistry({ external: { pump: example } })).toThrow(/built-in driver/);
  });

  it('refuses a driver of another type than it was installed for', async () => {
    const registry = createDriverRegistry({ external: { radar: example } });
    await expect(registry.load('radar')).rejects.toThrow(/is a driver for "motion", not for "radar"/);
  });
});

describe('a driver folder that is wrong', () => {
  it.each([
    [
      'exports nothing',
      { 'index.js': 'export const x = 1;' },
      'DRIVER_INVALID',
      /exports no driver.*missing: type, kind/,
    ],
    [
      'exports half a driver',
      { 'index.js': 'export const driver = { type: "x", kind: "sensor" };' },
      'DRIVER_INVALID',
      /missing: metrics/,
    ],
    [
      'throws on import',
      { 'index.js': 'throw new Error("no licence");' },
      'DRIVER_INVALID',
      /does not load: no licence/,
    ],
    [
      'is for another API',
      { 'index.js': 'export default { type: "x", apiVersion: 9 };' },
      'API_VERSION',
      /driver API 9/,
    ],
    ['has a broken manifest', { 'package.json': '{', 'index.js': '' }, 'DRIVER_INVALID', /not JSON/],
    ['has no entry', { 'readme.md': '' }, 'DRIVER_NOT_FOUND', /has no entry/],
  ])('because it %s is refused with its reason', async (_, files, code, message) => {
    const specifier = await folder({
      ...files,
      ...('package.json' in files ? {} : { 'package.json': '{"type":"module"}' }),
    });
    await expect(loadExternalDriver(specifier)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('because it is not there is refused with where it was looked for', async () => {
    await expect(loadExternalDriver('./nowhere', { from: dir })).rejects.toThrow(join(dir, 'nowhere'));
    await expect(loadExternalDriver('no-such-package', { from: dir })).rejects.toThrow(
      /npm install no-such-package/,
    );
    await expect(loadExternalDriver('../../etc; rm', { from: dir })).rejects.toMatchObject({
      code: 'DRIVER_NOT_FOUND',
    });
  });
});
