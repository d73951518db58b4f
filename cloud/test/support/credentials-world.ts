import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../src/adapters/local-certificate-authority.ts';
import { createClaimsService } from '../../src/claims/service.ts';
import { claimsDefaults } from '../../src/claims/types.ts';
import { createChallenges } from '../../src/credentials/challenges.ts';
import { createRecoveryService } from '../../src/credentials/recovery-service.ts';
import { createCredentialsService } from '../../src/credentials/service.ts';
import { createSigningQueue, type SigningQueueConfig } from '../../src/credentials/signing-queue.ts';
import { type CredentialsConfig, credentialsDefaults } from '../../src/credentials/types.ts';
import { createOrderSigner } from '../../src/orders/order-signer.ts';
import { createCertificateStatus } from '../../src/pki/certificate-status.ts';
import type { CertificateAuthority } from '../../src/ports/certificate-authority.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { createReceiptService } from '../../src/release/receipt-service.ts';
import { createReleaseService } from '../../src/release/service.ts';
import { createStandingService } from '../../src/standing/service.ts';
import { useCloudDatabase } from './database.ts';
import { fakeClock, silentLogger } from './quiet.ts';
import { TestDevice } from './test-device.ts';

export type CredentialsWorld = Awaited<ReturnType<typeof credentialsWorld>>;
type Authority = Pick<CertificateAuthority, 'readCsr' | 'signDevice'>;

export const API_HOST = '127.0.0.1:8443';

/**
 * Everything from claim to release on a real database, a real certificate authority and a real secret store.
 * `authority` may put something between the service and the real one: slowness, death.
 */
export async function credentialsWorld(
  options: {
    readonly authority?: (real: CertificateAuthority) => Authority;
    readonly config?: Partial<CredentialsConfig>;
    readonly queue?: SigningQueueConfig;
    readonly answerWithinMs?: number;
  } = {},
) {
  const clock = fakeClock();
  const database = await useCloudDatabase();
  const home = await mkdtemp(join(tmpdir(), 'ares-credentials-'));
  const secrets = await openFileSecretStore({ dir: join(home, 'secrets') });
  const realAuthority = await openLocalCertificateAuthority({
    secrets,
    clock,
    config: { dir: join(home, 'ca') },
  });
  const authority = options.authority?.(realAuthority) ?? realAuthority;
  const random = (size: number) => randomBytes(size);
  const apiHosts = [API_HOST];
  const deviceApiUrl = `https://${API_HOST}`;
  const log = silentLogger;
  const certificates = createCertificateStatus({ database, clock });
  const orders = createOrderSigner({ key: await secrets.keyPair('command-signing'), clock });
  const published: { topic: string; payload: string }[] = [];
  const broker = {
    publish: async (topic: string, payload: Uint8Array | string) =>
      void published.push({ topic, payload: String(payload) }),
  };

  const challenges = createChallenges({ key: randomBytes(32), clock, random });

  /** A replica of the API: the same database, nothing shared in memory. */
  const replica = () => {
    const signing = createSigningQueue({ authority, clock, ...(options.queue && { config: options.queue }) });
    const credentials = createCredentialsService({
      ports: { database, authority, signing, challenges, secrets, certificates, clock, random, log },
      config: {
        apiHosts,
        mqtt: { host: 'mqtt.example.org', port: 8883 },
        ...credentialsDefaults,
        ...options.config,
      },
      ...(options.answerWithinMs !== undefined && { answerWithinMs: options.answerWithinMs }),
    });
    const release = createReleaseService({ database, orders, broker, clock, newUuid: randomUUID, log });
    return { credentials, release };
  };
  const { credentials, release } = replica();
  const claims = createClaimsService({
    database,
    clock,
    random,
    newUuid: randomUUID,
    config: { deviceApiUrl, ...claimsDefaults },
  });
  const variant = await hardwareVariant(database);

  const world = {
    clock,
    database,
    secrets,
    authority: realAuthority,
    certificates,
    orders,
    published,
    replica,
    credentials,
    claims,
    challenges,
    release,
    recovery: createRecoveryService({ database, clock, random, config: { deviceApiUrl } }),
    standing: createStandingService({ database, orders, challenges, clock, apiHosts }),
    receipts: createReceiptService({ database, release, challenges, clock, apiHosts }),

    async user(): Promise<{ userId: number; email: string; source: string }> {
      const email = `${randomUUID()}@example.org`;
      const { id } = await database.db
        .insertInto('users')
        .values({ email, password_hash: 'none' })
        .returning('id')
        .executeTakeFirstOrThrow();
      return { userId: id, email, source: '127.0.0.1' };
    },
    /** A device and its registration. */
    async device(registration: { identityKeyHash?: string | null; firstUseUntil?: Date } = {}) {
      const device = new TestDevice(API_HOST);
      const { identityKeyHash = device.identityKeyHash, firstUseUntil = null } = registration;
      await database.db
        .insertInto('devices')
        .values({
          device_uuid: device.deviceUuid,
          cpu_serial: device.cpuSerial,
          identity_key_hash: identityKeyHash,
          first_use_until: firstUseUntil,
          hardware_variant_id: variant,
        })
        .execute();
      return device;
    },
    nonce: async (device: TestDevice) => challenges.issue(device.deviceUuid).nonce,
    /** Claimed by the user and provided with a certificate. */
    async claimed(user: { userId: number; source: string }, device: TestDevice) {
      const { claimId, nonce } = await claims.claim(device.claimBody, user);
      return credentials.request(await device.request({ grant: 'claim', claimId, nonce }), undefined);
    },
    /** Rows of the device, without what only the database knows. */
    certificatesOf: (device: TestDevice) =>
      database.db
        .selectFrom('certificates as c')
        .innerJoin('devices as d', 'd.id', 'c.device_id')
        .where('d.device_uuid', '=', device.deviceUuid)
        .orderBy('c.id')
        .select(['c.id', 'c.serial', 'c.status', 'c.chain_pem'])
        .execute(),
    lifeCycle: async (device: TestDevice) =>
      (
        await database.db
          .selectFrom('devices')
          .select('life_cycle')
          .where('device_uuid', '=', device.deviceUuid)
          .executeTakeFirstOrThrow()
      ).life_cycle,
    alertsOf: (device: TestDevice) =>
      database.db
        .selectFrom('alerts as a')
        .innerJoin('devices as d', 'd.id', 'a.device_id')
        .where('d.device_uuid', '=', device.deviceUuid)
        .select('a.kind')
        .execute()
        .then((rows) => rows.map(({ kind }) => kind)),
    close: () => database.close(),
  };
  return world;
}

async function hardwareVariant({ db }: CloudDatabase): Promise<number> {
  await db
    .insertInto('hardware_variants')
    .values({ hardware_version: 'sim-1', hardware_variant: 'greenhouse' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { id } = await db
    .selectFrom('hardware_variants')
    .select('id')
    .where('hardware_version', '=', 'sim-1')
    .where('hardware_variant', '=', 'greenhouse')
    .executeTakeFirstOrThrow();
  return id;
}

/** Outcome of a request as a word: its problem code, or what it answered. */
export async function outcome<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== 'string') throw error;
    return code;
  }
}
