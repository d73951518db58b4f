import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeDurably } from '../adapters/durable-file.ts';
import { credentialsFile, readCredentials, type SavedCredentials } from '../cli/home.ts';

/** The owner and the administrator of this installation, with random passwords drawn once. */
export async function ensureSavedCredentials(home: string, url: string): Promise<SavedCredentials> {
  const saved = existsSync(credentialsFile(home)) ? readCredentials(home) : undefined;
  if (saved?.url === url) return saved;
  const credentials: SavedCredentials = {
    url,
    owner: saved?.owner ?? { email: 'owner@ares.local', password: password() },
    administrator: saved?.administrator ?? { email: 'admin@ares.local', password: password() },
  };
  await writeDurably(credentialsFile(home), `${JSON.stringify(credentials, null, 2)}\n`);
  return credentials;
}

/** 120 random bits. */
function password(): string {
  return randomBytes(15).toString('base64url');
}
