import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { makeCsr } from '../../../test/support/certificate-requests.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../src/adapters/local-certificate-authority.ts';

const home = await mkdtemp(join(tmpdir(), 'ares-ca-'));
afterAll(() => rm(home, { recursive: true }));

const DEVICE = '1f0c5a52-6a0e-4c1e-9d1b-0a2b3c4d5e6f';
let dir = '';
beforeEach(async () => {
  dir = join(await mkdtemp(join(home, 'case-')), 'ca');
});

async function open(options: { now?: number; secrets?: string; dir?: string } = {}) {
  const secrets = await openFileSecretStore({ dir: options.secrets ?? join(home, 'secrets') });
  const clock = options.now === undefined ? Date : { now: () => options.now! };
  return openLocalCertificateAuthority({ secrets, clock, config: { dir: options.dir ?? dir } });
}

describe('when the authority is made', () => {
  it('has a root that allows one CA below it, and an intermediate that allows none', async () => {
    const { caCertificates } = await open();
    const [root, intermediate] = [caCertificates.root, caCertificates.intermediate].map(
      (pem) => new X509Certificate(pem),
    );
    expect(root!.ca && intermediate!.ca).toBe(true);
    expect(root!.subject).toBe(root!.issuer);
    expect(intermediate!.issuer).toBe(root!.subject);
    expect(intermediate!.raw.includes(Buffer.from('30060101ff020100', 'hex'))).toBe(true);
    expect(root!.raw.includes(Buffer.from('30060101ff020101', 'hex'))).toBe(true);
  });

  it('is the same for all processes that start at once', async () => {
    const all = await Promise.all([open(), open(), open()]);
    expect(new Set(all.map(({ caCertificates }) => caCertificates.root)).size).toBe(1);
  });

  it('is the same after a restart, and signs what its own certificates verify', async () => {
    const first = await open();
    const again = await open();
    expect(again.caCertificates).toEqual(first.caCertificates);
    const { der } = await makeCsr();
    const { leafDer } = await again.signDevice({ csr: der, commonName: DEVICE, validityMs: 1_000 });
    const intermediate = new X509Certificate(first.caCertificates.intermediate);
    expect(new X509Certificate(leafDer).verify(intermediate.publicKey)).toBe(true);
  });

  it('is one file that its owner alone can read, with no key in clear', async () => {
    await open();
    expect(await readdir(dir)).toEqual(['authority.json']);
    expect((await stat(join(dir, 'authority.json'))).mode & 0o777).toBe(0o600);
    const text = await readFile(join(dir, 'authority.json'), 'utf8');
    expect(text).not.toMatch(/PRIVATE KEY/);
    // The head of a P-256 key as PKCS#8, at any of the three offsets of base64.
    const head = Buffer.from('301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420', 'hex');
    const { root, intermediate } = JSON.parse(text) as Record<string, { sealedKey: string }>;
    for (const { sealedKey } of [root!, intermediate!])
      expect(Buffer.from(sealedKey, 'base64').includes(head)).toBe(false);
  });

  it('gives two installations names of their own', async () => {
    const [one, other] = [await open(), await open({ dir: `${dir}-other` })];
    const name = (pem: string) => new X509Certificate(pem).subject;
    expect(name(one.caCertificates.root)).not.toBe(name(other.caCertificates.root));
  });
});

describe('refusing to open', () => {
  it('a file that was cut, and leaves it as it is', async () => {
    await open();
    const path = join(dir, 'authority.json');
    const half = (await readFile(path, 'utf8')).slice(0, 700);
    await writeFile(path, half);
    await expect(open()).rejects.toMatchObject({
      code: 'AUTHORITY_DAMAGED',
      message: expect.stringContaining(path),
    });
    expect(await readFile(path, 'utf8')).toBe(half);
  });

  it('a root of one authority with the intermediate of another', async () => {
    await open();
    await open({ dir: `${dir}-other` });
    await mix((mine, other) => ({ ...mine, intermediate: other.intermediate }));
    await expect(open()).rejects.toMatchObject({ code: 'AUTHORITY_DAMAGED' });
  });

  it('a key that does not belong to its certificate', async () => {
    await open();
    await open({ dir: `${dir}-other` });
    await mix((mine, other) => ({
      ...mine,
      intermediate: { ...mine.intermediate, sealedKey: other.intermediate.sealedKey },
    }));
    await expect(open()).rejects.toMatchObject({ code: 'AUTHORITY_DAMAGED' });
  });

  it('the sealed key of the root in the place of the intermediate', async () => {
    await open();
    await mix((mine) => ({
      ...mine,
      intermediate: { ...mine.intermediate, sealedKey: mine.root.sealedKey },
    }));
    await expect(open()).rejects.toMatchObject({ code: 'SEALED_DAMAGED' });
  });

  it('keys that another key-encryption key sealed', async () => {
    await open();
    await expect(open({ secrets: join(home, 'other-secrets') })).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
  });
});

describe('as time passes', () => {
  it('signs nothing that would outlive the authority', async () => {
    await open();
    const late = await open({ now: Date.now() + 10 * 365 * 86_400_000 - 3_600_000 });
    const { der } = await makeCsr();
    await late.signDevice({ csr: der, commonName: DEVICE, validityMs: 60_000 });
    await expect(
      late.signDevice({ csr: der, commonName: DEVICE, validityMs: 86_400_000 }),
    ).rejects.toMatchObject({
      code: 'INVALID_VALIDITY',
    });
  });

  it('numbers revocation lists upwards after a restart with the clock set back', async () => {
    await (await open()).crls([]);
    const before = Number(await readFile(join(dir, 'crl-number'), 'utf8'));
    await (await open({ now: 1_000_000_000_000 })).crls([]);
    expect(Number(await readFile(join(dir, 'crl-number'), 'utf8'))).toBe(before + 1);
  });
});

type Part = { certificate: string; sealedKey: string };
type Parts = { root: Part; intermediate: Part };

async function mix(change: (mine: Parts, other: Parts) => Parts): Promise<void> {
  const read = async (folder: string) =>
    JSON.parse(await readFile(join(folder, 'authority.json'), 'utf8').catch(() => '{}')) as Parts;
  await writeFile(
    join(dir, 'authority.json'),
    JSON.stringify(change(await read(dir), await read(`${dir}-other`))),
  );
}
