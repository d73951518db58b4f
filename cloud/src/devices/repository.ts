import { type SqlBool, sql } from 'kysely';
import { type Caller, isAdmin } from '../accounts/types.ts';
import type { Queries } from '../ports/database.ts';
import type { DeviceAccess, DeviceView, HistoryAccess } from './types.ts';

/** Devices. Whatever returns one needs to know for whom: the scope is part of each query. */
export const deviceRepository = {
  /** `undefined` for an unknown device and for one that the caller has nothing to do with. */
  async findAccess(queries: Queries, caller: Caller, deviceUuid: string): Promise<DeviceAccess | undefined> {
    const row = await visibleTo(queries, caller)
      .where('d.device_uuid', '=', deviceUuid)
      .select(['d.id', 'd.device_uuid', 'a.id as assignment_id'])
      .executeTakeFirst();
    return (
      row && {
        deviceId: row.id,
        deviceUuid: row.device_uuid,
        assignmentId: row.assignment_id,
        role: row.role,
      }
    );
  },

  /** `undefined` for an unknown device and for one that never had anything to do with the caller. */
  async findHistoryAccess(
    queries: Queries,
    caller: Caller,
    deviceUuid: string,
  ): Promise<HistoryAccess | undefined> {
    const everything = isAdmin(caller);
    const row = await queries
      .selectFrom('devices as d')
      .select('d.id')
      .where('d.device_uuid', '=', deviceUuid)
      .$if(!everything, (query) =>
        query.where(({ exists, selectFrom }) =>
          exists(
            selectFrom('assignments as a')
              .leftJoin('assignment_viewers as v', (join) =>
                join.onRef('v.assignment_id', '=', 'a.id').on('v.user_id', '=', caller.userId),
              )
              .whereRef('a.device_id', '=', 'd.id')
              .where((is) => is.or([is('a.user_id', '=', caller.userId), is('v.user_id', 'is not', null)]))
              .select('a.id'),
          ),
        ),
      )
      .executeTakeFirst();
    return row && { deviceId: row.id, deviceUuid, everything };
  },

  async list(queries: Queries, caller: Caller): Promise<DeviceView[]> {
    const rows = await views(queries, caller).orderBy('d.created_at').orderBy('d.id').execute();
    return rows.map(toView);
  },

  async find(queries: Queries, caller: Caller, deviceUuid: string): Promise<DeviceView | undefined> {
    const row = await views(queries, caller).where('d.device_uuid', '=', deviceUuid).executeTakeFirst();
    return row && toView(row);
  },

  /** `false` when the assignment that gave the right has ended meanwhile. */
  async setNickname(queries: Queries, access: DeviceAccess, nickname: string | null): Promise<boolean> {
    const { numUpdatedRows } = await queries
      .updateTable('devices')
      .set({ nickname })
      .where('id', '=', access.deviceId)
      .where((is) =>
        access.assignmentId === null || access.role === 'admin'
          ? is.lit(true)
          : is.exists(
              is
                .selectFrom('assignments')
                .select('id')
                .where('id', '=', access.assignmentId)
                .where('ended_at', 'is', null),
            ),
      )
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  /** @throws a unique violation of PostgreSQL (23505) when serial, UUID or key is known */
  async insert(
    queries: Queries,
    device: {
      readonly deviceUuid: string;
      readonly cpuSerial: string;
      readonly identityKeyHash: string | null;
      readonly firstUseUntil: Date | null;
      readonly hardwareVariantId: number;
    },
  ): Promise<void> {
    await queries
      .insertInto('devices')
      .values({
        device_uuid: device.deviceUuid,
        cpu_serial: device.cpuSerial,
        identity_key_hash: device.identityKeyHash,
        first_use_until: device.firstUseUntil,
        hardware_variant_id: device.hardwareVariantId,
      })
      .execute();
  },
};

/** The only way to a device as it is now: owner, viewer or administrator of the running assignment. */
function visibleTo(queries: Queries, caller: Caller) {
  const admin = isAdmin(caller);
  return queries
    .selectFrom('devices as d')
    .leftJoin('assignments as a', (join) =>
      join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
    )
    .leftJoin('assignment_viewers as v', (join) =>
      join.onRef('v.assignment_id', '=', 'a.id').on('v.user_id', '=', caller.userId),
    )
    .select(
      sql<DeviceAccess['role']>`case when a.user_id = ${caller.userId} then 'owner'
        when ${admin} then 'admin' else 'viewer' end`.as('role'),
    )
    .where(sql<SqlBool>`(${admin} or a.user_id = ${caller.userId} or v.user_id is not null)`);
}

function views(queries: Queries, caller: Caller) {
  return visibleTo(queries, caller)
    .innerJoin('hardware_variants as h', 'h.id', 'd.hardware_variant_id')
    .select([
      'd.device_uuid',
      'd.nickname',
      'd.life_cycle',
      'd.presence',
      'd.last_seen',
      'd.cpu_serial',
      'h.hardware_version',
      'h.hardware_variant',
      'a.started_at',
    ]);
}

function toView(row: Awaited<ReturnType<ReturnType<typeof views>['execute']>>[number]): DeviceView {
  return {
    deviceUuid: row.device_uuid,
    nickname: row.nickname,
    lifeCycle: row.life_cycle,
    presence: row.presence,
    hardwareVersion: row.hardware_version,
    hardwareVariant: row.hardware_variant,
    cpuSerial: row.cpu_serial,
    lastSeen: row.last_seen,
    role: row.role,
    claimedAt: row.started_at,
  };
}
