import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Caller } from '../../src/accounts/types.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import type { DeviceAccess } from '../../src/devices/types.ts';
import { createKeyService } from '../../src/keys/key-service.ts';
import { createRevocationList } from '../../src/keys/revocation-list.ts';
import { createTokenService } from '../../src/keys/token-service.ts';
import type { KeysConfig } from '../../src/keys/types.ts';
import { createOrderSigner } from '../../src/orders/order-signer.ts';
import { useCloudDatabase } from './database.ts';
import { fakeClock } from './quiet.ts';

const ISSUER = 'urn:ares:installation:test';

/** The services of keys and offline tokens on a real database, with devices that have a pump and a thermometer. */
export async function keysWorld(config: Partial<KeysConfig> = {}) {
  const database = await useCloudDatabase();
  const { db } = database;
  const dir = await mkdtemp(join(tmpdir(), 'ares-keys-'));
  const secrets = await openFileSecretStore({ dir });
  const clock = fakeClock(Date.UTC(2026, 10, 20, 12));
  const orders = createOrderSigner({ key: await secrets.keyPair('command-signing'), clock });
  const ports = { database, secrets, clock, orders, newUuid: randomUUID, issuer: ISSUER, config };

  const user = async (): Promise<Caller> => {
    const email = `${randomUUID()}@example.org`;
    const row = await db
      .insertInto('users')
      .values({ email, password_hash: 'x' })
      .returning(['id', 'user_uuid'])
      .executeTakeFirstOrThrow();
    return { userId: row.id, userUuid: row.user_uuid, email, roles: [] } as unknown as Caller;
  };

  const attach = async (deviceId: number, assignmentId: number, componentType: string) => {
    const { id } = await db
      .selectFrom('supported_components')
      .where('component_type', '=', componentType)
      .select('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('attached_components')
      .values({
        device_id: deviceId,
        assignment_id: assignmentId,
        component_type_id: id,
        pins: '{}',
        config: '{}',
      })
      .execute();
  };

  const claim = async (device: { deviceId: number; deviceUuid: string }, owner: Caller, number: number) => {
    const { id: assignmentId } = await db
      .insertInto('assignments')
      .values({ device_id: device.deviceId, number, user_id: owner.userId })
      .returning('id')
      .executeTakeFirstOrThrow();
    await attach(device.deviceId, assignmentId, 'pump');
    await attach(device.deviceId, assignmentId, 'dht22');
    const access: DeviceAccess = { ...device, assignmentId, role: 'owner' };
    return { owner, access, by: { caller: owner, userId: owner.userId, source: '127.0.0.1' } };
  };

  return {
    database,
    db,
    secrets,
    clock,
    orders,
    issuer: ISSUER,
    keys: createKeyService(ports),
    tokens: createTokenService(ports),
    revocations: createRevocationList(ports),
    user,
    claim,
    /** A device with an owner. */
    async device() {
      await db
        .insertInto('hardware_variants')
        .values({ hardware_version: 'sim-1', hardware_variant: 'keys' })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const deviceUuid = randomUUID();
      const { id: deviceId } = await db
        .insertInto('devices')
        .values((from) => ({
          device_uuid: deviceUuid,
          cpu_serial: randomBytes(8).toString('hex'),
          life_cycle: 'ACTIVE' as const,
          hardware_variant_id: from
            .selectFrom('hardware_variants')
            .where('hardware_variant', '=', 'keys')
            .select('id'),
        }))
        .returning('id')
        .executeTakeFirstOrThrow();
      return { deviceId, deviceUuid, ...(await claim({ deviceId, deviceUuid }, await user(), 1)) };
    },
    release: (assignmentId: number | null) =>
      db
        .updateTable('assignments')
        .set({ ended_at: new Date(clock.now()) })
        .where('id', '=', assignmentId ?? -1)
        .execute(),
    async close() {
      await database.close();
      await rm(dir, { recursive: true });
    },
  };
}

export type KeysWorld = Awaited<ReturnType<typeof keysWorld>>;
