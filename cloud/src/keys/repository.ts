import type { DevicePublicKey } from '@ares/protocol/offline-tokens';
import { sql } from 'kysely';
import type { DeviceAccess } from '../devices/types.ts';
import type { Queries } from '../ports/database.ts';
import type { ActiveKey, KeyAlgorithm, KeyRow } from './types.ts';

const shown = [
  'kid',
  'alg',
  'created_at as createdAt',
  'rotated_at as rotatedAt',
  'deactivated_at as deactivatedAt',
] as const;

/** Keys of devices. */
export const keyRepository = {
  /**
   * Locks the device, so that what happens to its keys and tokens happens one after another.
   * @returns `false` when the assignment that gave the right has ended meanwhile
   */
  async lock(trx: Queries, access: DeviceAccess): Promise<boolean> {
    const device = await trx
      .selectFrom('devices')
      .select('id')
      .where('id', '=', access.deviceId)
      .forUpdate()
      .executeTakeFirst();
    if (device === undefined) return false;
    if (access.role === 'admin') return true;
    const running = await trx
      .selectFrom('assignments')
      .select('id')
      .where('device_id', '=', access.deviceId)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return running !== undefined && running.id === access.assignmentId;
  },

  /** Ends the active key, if there is one: its private half is destroyed, its tokens go on. */
  async rotateOut(trx: Queries, deviceId: number, at: Date): Promise<void> {
    await trx
      .updateTable('device_keys')
      .set({ rotated_at: at, sealed_private: null })
      .where('device_id', '=', deviceId)
      .where('rotated_at', 'is', null)
      .where('deactivated_at', 'is', null)
      .execute();
  },

  async insert(
    trx: Queries,
    key: {
      readonly deviceId: number;
      readonly alg: KeyAlgorithm;
      readonly publicJwk: DevicePublicKey;
      readonly sealed: Uint8Array;
      readonly at: Date;
    },
  ): Promise<KeyRow> {
    return await trx
      .insertInto('device_keys')
      .values({
        device_id: key.deviceId,
        kid: key.publicJwk.kid,
        alg: key.alg,
        public_jwk: JSON.stringify(key.publicJwk),
        sealed_private: Buffer.from(key.sealed),
        created_at: key.at,
      })
      .returning(shown)
      .executeTakeFirstOrThrow();
  },

  /** When each key that signs, or has ended since then, ended; `null` for the one that signs. */
  async endings(queries: Queries, deviceId: number, since: Date): Promise<(Date | null)[]> {
    const ended = sql<Date | null>`greatest(rotated_at, deactivated_at)`;
    const rows = await queries
      .selectFrom('device_keys')
      .select(ended.as('ended'))
      .where('device_id', '=', deviceId)
      .where((is) => is.or([is(ended, 'is', null), is(ended, '>', since)]))
      .orderBy(ended)
      .execute();
    return rows.map((row) => row.ended);
  },

  /** `undefined` when the device has no such key; one that is over already stays as it is. */
  async deactivate(
    trx: Queries,
    key: { readonly deviceId: number; readonly kid: string; readonly at: Date },
  ): Promise<{ readonly row: KeyRow; readonly changed: boolean } | undefined> {
    const ended = await trx
      .updateTable('device_keys')
      .set({ deactivated_at: key.at, sealed_private: null })
      .where('device_id', '=', key.deviceId)
      .where('kid', '=', key.kid)
      .where('deactivated_at', 'is', null)
      .returning(shown)
      .executeTakeFirst();
    if (ended !== undefined) return { row: ended, changed: true };
    const row = await trx
      .selectFrom('device_keys')
      .select(shown)
      .where('device_id', '=', key.deviceId)
      .where('kid', '=', key.kid)
      .executeTakeFirst();
    return row && { row, changed: false };
  },

  async list(
    queries: Queries,
    wanted: {
      readonly deviceId: number;
      readonly status: 'ACTIVE' | 'ROTATED' | 'DEACTIVATED' | undefined;
      /** `id` of the last row of the page before. */
      readonly before: number | undefined;
      readonly limit: number;
    },
  ): Promise<(KeyRow & { readonly id: number })[]> {
    const { deviceId, status, before, limit } = wanted;
    return await queries
      .selectFrom('device_keys')
      .select(['id', ...shown])
      .where('device_id', '=', deviceId)
      .$if(before !== undefined, (query) => query.where('id', '<', before ?? 0))
      .$if(status === 'DEACTIVATED', (query) => query.where('deactivated_at', 'is not', null))
      .$if(status === 'ROTATED', (query) =>
        query.where('deactivated_at', 'is', null).where('rotated_at', 'is not', null),
      )
      .$if(status === 'ACTIVE', (query) =>
        query.where('deactivated_at', 'is', null).where('rotated_at', 'is', null),
      )
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
  },

  /** The key that signs, and those that were rotated since then. `undefined` when there is no such device. */
  async published(
    queries: Queries,
    deviceUuid: string,
    rotatedSince: Date,
  ): Promise<DevicePublicKey[] | undefined> {
    const rows = await queries
      .selectFrom('devices as d')
      .leftJoin('device_keys as k', (join) =>
        join
          .onRef('k.device_id', '=', 'd.id')
          .on('k.deactivated_at', 'is', null)
          .on((is) => is.or([is('k.rotated_at', 'is', null), is('k.rotated_at', '>', rotatedSince)])),
      )
      .where('d.device_uuid', '=', deviceUuid)
      .orderBy('k.id', 'desc')
      .select('k.public_jwk as jwk')
      .execute();
    return rows.length === 0 ? undefined : rows.flatMap(({ jwk }) => (jwk === null ? [] : [jwk]));
  },

  async active(queries: Queries, deviceId: number): Promise<ActiveKey | undefined> {
    const row = await queries
      .selectFrom('device_keys')
      .select(['id', 'kid', 'alg', 'sealed_private as sealed'])
      .where('device_id', '=', deviceId)
      .where('rotated_at', 'is', null)
      .where('deactivated_at', 'is', null)
      .executeTakeFirst();
    return row?.sealed ? { ...row, sealed: row.sealed } : undefined;
  },

  /** The revocation list of the device is another one from now on. */
  async raiseRevocations(trx: Queries, deviceId: number): Promise<void> {
    await sql`select raise_offline_revocations(${deviceId})`.execute(trx);
  },

  /** As {@link raiseRevocations} for every device: after a restore, lists are ahead of what devices have seen. */
  async raiseAllRevocations(queries: Queries): Promise<void> {
    await sql`select raise_offline_revocations(id) from devices`.execute(queries);
  },
};
