import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createAdministrator } from './accounts/administrator.ts';
import { createPasswordHasher } from './accounts/passwords.ts';
import { initializeRoles, type SystemRole } from './accounts/system-roles.ts';
import { preparePrivateFolder, writeDurably } from './adapters/durable-file.ts';
import {
  EmbeddedPostgresError,
  runningPostgres,
  startEmbeddedPostgres,
} from './adapters/embedded-postgres.ts';
import { openFileSecretStore } from './adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from './adapters/local-certificate-authority.ts';
import { openPgDatabase, type PgConnection } from './adapters/pg-database.ts';
import { createPinoLogger } from './adapters/pino-logger.ts';
import { systemClock } from './adapters/system-clock.ts';
import { type ChainHead, type ChainReport, createAuditChain } from './audit/chain.ts';
import { auditKey } from './audit/key.ts';
import { connectionOf, untilAnswering } from './compose-foundation.ts';
import type { CloudConfig } from './config.ts';
import { migrate } from './database/migrate.ts';
import { type MadeFiles, makeServerFiles, type ServerFiles } from './pki/server-files.ts';
import type { CloudDatabase } from './ports/database.ts';
import type { SecretStore } from './ports/secret-store.ts';

/** What an operator does with the database itself, whether the cloud runs or not. */
export interface OperatorTools {
  /** @throws {ProblemError} EMAIL_TAKEN */
  createAdministrator(wanted: {
    readonly email: string;
  }): Promise<{ readonly email: string; readonly password: string }>;
  /** Makes system roles that are missing. */
  initializeRoles(): Promise<readonly SystemRole[]>;
  /** Reads the whole chain of the audit log. @throws {SecretStoreError} */
  verifyAudit(known?: ChainHead): Promise<ChainReport>;
}

/**
 * Runs `work` on the database of a cloud: the one of `DATABASE_URL`, or the embedded one, which is started for the
 * moment when no process runs it.
 * @throws {EmbeddedPostgresError | ConfigError} and what `work` throws
 */
export async function withOperatorTools<T>(
  config: CloudConfig,
  work: (tools: OperatorTools) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const database = await openOperatorDatabase(config, stack);
  const hasher = createPasswordHasher();
  return await work({
    createAdministrator: (wanted) => createAdministrator({ database, hasher, random: randomBytes }, wanted),
    initializeRoles: () => initializeRoles(database),
    async verifyAudit(known) {
      const secrets = await openSecrets(config);
      return createAuditChain({ database, key: await auditKey(secrets) }).verify(known);
    },
  });
}

/**
 * Writes certificates for servers beside the cloud; needs no database.
 * @throws {CertificateAuthorityError | SecretStoreError}
 */
export async function makeCertificates(
  config: CloudConfig,
  folder: string,
  servers: readonly ServerFiles[],
): Promise<readonly MadeFiles[]> {
  await preparePrivateFolder(config.home);
  const secrets = await openSecrets(config);
  const dir = join(config.home, 'ca');
  const authority = await openLocalCertificateAuthority({ secrets, clock: systemClock, config: { dir } });
  return makeServerFiles({ authority, clock: systemClock, write: writeDurably }, folder, servers);
}

/** The secrets of the cloud in `config.home`. @throws {SecretStoreError} */
export function openSecrets({ home, keyFile }: CloudConfig): Promise<SecretStore> {
  return openFileSecretStore({ dir: join(home, 'secrets'), ...(keyFile !== undefined && { keyFile }) });
}

/** With its tables up to date; closed with `stack`. */
export async function openOperatorDatabase(
  config: CloudConfig,
  stack: AsyncDisposableStack,
): Promise<CloudDatabase> {
  const log = createPinoLogger({ level: 'silent' });
  const connection = await databaseConnection(config, stack);
  const database = openPgDatabase({ connection, log });
  stack.defer(() => database.close());
  await untilAnswering(database, log);
  await migrate(database.db);
  return database;
}

/**
 * How to reach the database of a cloud; the embedded one is started for the moment when no process runs it.
 * @throws {EmbeddedPostgresError | ConfigError}
 */
export async function databaseConnection(
  config: CloudConfig,
  stack: AsyncDisposableStack,
): Promise<PgConnection> {
  return config.databaseUrl === undefined
    ? await embeddedDatabase(config.home, stack)
    : await connectionOf(config.databaseUrl);
}

async function embeddedDatabase(home: string, stack: AsyncDisposableStack): Promise<PgConnection> {
  const dataDir = join(home, 'database');
  await preparePrivateFolder(home);
  try {
    const server = await startEmbeddedPostgres({ dataDir, log: () => undefined });
    stack.defer(() => server.stop());
    return server.connection;
  } catch (error) {
    if (!(error instanceof EmbeddedPostgresError) || error.code !== 'IN_USE') throw error;
    return runningPostgres(dataDir);
  }
}
