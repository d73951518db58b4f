import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../cloud/src/adapters/local-certificate-authority.ts';
import { describeCertificateAuthority } from './certificate-authority-suite.ts';

const home = await mkdtemp(join(tmpdir(), 'ares-ca-'));
afterAll(() => rm(home, { recursive: true }));

let made = 0;
describeCertificateAuthority('LocalCertificateAuthority', async () => {
  const secrets = await openFileSecretStore({ dir: join(home, 'secrets') });
  made += 1;
  return openLocalCertificateAuthority({ secrets, clock: Date, config: { dir: join(home, `ca-${made}`) } });
});
