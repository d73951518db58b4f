import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';

const home = await mkdtemp(join(tmpdir(), 'ares-secrets-'));
afterAll(() => rm(home, { recursive: true }));

let dir = '';
let keyFile = '';
beforeEach(async () => {
  dir = join(await mkdtemp(join(home, 'case-')), 'secrets');
  keyFile = join(dir, 'key-encryption-key');
});

describe('when the store is opened again', () => {
  it('has its secrets and its keys', async () => {
    const first = await openFileSecretStore({ dir });
    await first.put('name', Buffer.from('value'));
    const { kid } = await first.keyPair('command');
    const again = await openFileSecretStore({ dir });
    expect(Buffer.from((await again.get('name'))!).toString()).toBe('value');
    expect((await again.keyPair('command')).kid).toBe(kid);
  });

  it('has only files that their owner alone can read, and no secret in clear', async () => {
    // A child with the loosest umask: the modes must come from the store.
    const script = `
      import { openFileSecretStore } from '${join(import.meta.dirname, '../../src/adapters/file-secret-store.ts')}';
      process.umask(0);
      const store = await openFileSecretStore({ dir: process.argv[1] });
      await store.put('name', Buffer.from('canary-7f3a91'));
      await store.keyPair('command');`;
    await promisify(execFile)(process.execPath, [
      '--conditions=@ares/source',
      '--input-type=module',
      '-e',
      script,
      dir,
    ]);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    const files = await readdir(dir);
    expect(files.toSorted()).toEqual([
      'key-check.sealed',
      'key-encryption-key',
      'keypair-command.sealed',
      'name.sealed',
    ]);
    for (const file of files) {
      expect((await stat(join(dir, file))).mode & 0o777, file).toBe(0o600);
      expect((await readFile(join(dir, file))).includes('canary')).toBe(false);
    }
  });
});

describe('refusing to open', () => {
  it('when the key is missing while something sealed exists, and draws no new key', async () => {
    await openFileSecretStore({ dir });
    await rename(keyFile, `${keyFile}.away`);
    await expect(openFileSecretStore({ dir })).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining(`restore ${keyFile}`),
    });
    await rename(`${keyFile}.away`, keyFile);
    await openFileSecretStore({ dir });
  });

  it('with a key that is not the one that sealed', async () => {
    await openFileSecretStore({ dir });
    await writeFile(keyFile, Buffer.alloc(32, 1).toString('base64url'), { mode: 0o600 });
    await expect(openFileSecretStore({ dir })).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
  });

  it.each(['', 'short', '!'.repeat(43), Buffer.alloc(33).toString('base64url')])(
    'with the damaged key %j',
    async (content) => {
      await openFileSecretStore({ dir });
      await writeFile(keyFile, content);
      await expect(openFileSecretStore({ dir })).rejects.toMatchObject({ code: 'KEY_DAMAGED' });
    },
  );

  it('with a key that other users can read, saying how to close it', async () => {
    await openFileSecretStore({ dir });
    await chmod(keyFile, 0o640);
    await expect(openFileSecretStore({ dir })).rejects.toMatchObject({
      code: 'KEY_EXPOSED',
      message: expect.stringContaining(`chmod 600 ${keyFile}`),
    });
  });

  it('a folder that is a file', async () => {
    await writeFile(dir, '');
    await expect(openFileSecretStore({ dir })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

it('refuses a secret whose file was put in the place of another', async () => {
  const store = await openFileSecretStore({ dir });
  await store.put('harmless', Buffer.from('a'));
  await store.put('precious', Buffer.from('b'));
  await copyFile(join(dir, 'harmless.sealed'), join(dir, 'precious.sealed'));
  await expect(store.get('precious')).rejects.toMatchObject({ code: 'SEALED_DAMAGED' });
});

it('takes its key from another folder', async () => {
  keyFile = join(home, 'elsewhere');
  const store = await openFileSecretStore({ dir, keyFile });
  await store.put('name', Buffer.from('value'));
  expect(await readdir(dir)).not.toContain('key-encryption-key');
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
});
