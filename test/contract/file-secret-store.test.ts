import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { describeSecretStore } from './secret-store-suite.ts';

const home = await mkdtemp(join(tmpdir(), 'ares-secrets-'));
afterAll(() => rm(home, { recursive: true }));

let made = 0;
describeSecretStore('FileSecretStore', async () => {
  made += 1;
  const dir = join(home, String(made));
  // At the same time, as the API and the ingest process start.
  const [store, same] = await Promise.all([openFileSecretStore({ dir }), openFileSecretStore({ dir })]);
  return { store, same };
});
