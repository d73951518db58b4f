import { randomBytes } from 'node:crypto';
import type { SecretStore } from '../ports/secret-store.ts';

/** The key of the audit log's chain; drawn once. Whoever holds only the database cannot make links. */
export async function auditKey(secrets: SecretStore): Promise<Uint8Array> {
  await secrets.create('audit-chain', randomBytes(32));
  return (await secrets.get('audit-chain'))!;
}
